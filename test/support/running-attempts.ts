import { decodeEvent } from '../../src/commands/decode-event.ts';
import type { JobEvent } from '../../src/domain/job/events.ts';
import { type WrittenTo, wholeLog } from './dispatch.ts';

type StartedOrEnded = 'started' | 'ended' | undefined;

/** Most attempts that ran at once by the order of the log, for each tenant (`acme`) and each of its queues (`acme mail`). */
export async function mostRunning(written: WrittenTo): Promise<Readonly<Record<string, number>>> {
  const runs = new Map<string, string>();
  const running: Record<string, number> = {};
  const most: Record<string, number> = {};
  for (const stored of await wholeLog(written)) {
    const decoded = decodeEvent(stored);
    if (decoded?.aggregate !== 'job') continue;
    const { stream, tenantId, event } = decoded;
    const step = stepOf(event);
    if (step === 'started' && event.type === 'JobStarted') runs.set(stream, event.data.queue);
    const queue = runs.get(stream);
    if (step === undefined || queue === undefined) continue;
    if (step === 'ended') runs.delete(stream);
    for (const key of [tenantId, `${tenantId} ${queue}`]) {
      running[key] = (running[key] ?? 0) + (step === 'started' ? 1 : -1);
      most[key] = Math.max(most[key] ?? 0, running[key]);
    }
  }
  return most;
}

function stepOf({ type }: JobEvent): StartedOrEnded {
  if (type === 'JobStarted') return 'started';
  const ends: readonly JobEvent['type'][] = [
    'JobCompleted',
    'JobFailed',
    'JobReleased',
    'LeaseExpired',
    'JobCancelled',
  ];
  return ends.includes(type) ? 'ended' : undefined;
}
