import { accepted, type Decider, type Decision, unreachable } from '../decider.ts';
import type { QueueCommand } from './commands.ts';
import type { QueueEvent } from './events.ts';
import { isPaused, type Queue } from './state.ts';

const OPEN: Queue = { concurrencyLimit: null };

/** A named lane of one tenant: paused or open, and how many attempts may run in it at once. */
export const queueDecider: Decider<QueueCommand, Queue, QueueEvent, never> = {
  initial: () => OPEN,
  evolve,
  decide,
};

function evolve(queue: Queue, event: QueueEvent, at: number): Queue {
  switch (event.type) {
    case 'QueuePaused': {
      const { reason, until } = event.data;
      // Pausing a paused queue again changes why and how long, not since when.
      const since = queue.pause && isPaused(queue, at) ? queue.pause.since : at;
      return { ...queue, pause: { since, until, reason } };
    }
    case 'QueueResumed':
      return { ...queue, pause: undefined };
    case 'QueueLimitChanged':
      return { ...queue, concurrencyLimit: event.data.concurrencyLimit };
    default:
      return unreachable(event);
  }
}

function decide(command: QueueCommand, queue: Queue): Decision<QueueEvent, never> {
  switch (command.type) {
    case 'PauseQueue': {
      const { reason, until } = command;
      const already = queue.pause && queue.pause.reason === reason && queue.pause.until === until;
      return already ? accepted() : accepted({ type: 'QueuePaused', data: { reason, until } });
    }
    case 'ResumeQueue':
      return isPaused(queue, command.at)
        ? accepted({ type: 'QueueResumed', data: { reason: command.reason } })
        : accepted();
    case 'LimitQueue': {
      const { concurrencyLimit, reason } = command;
      return concurrencyLimit === queue.concurrencyLimit
        ? accepted()
        : accepted({ type: 'QueueLimitChanged', data: { concurrencyLimit, reason } });
    }
    default:
      return unreachable(command);
  }
}
