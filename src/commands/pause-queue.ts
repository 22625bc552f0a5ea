import { type ChangeQueueDeps, createChangeQueue } from './change-queue.ts';
import type { UseCases } from './use-cases.ts';

/** Nothing more is claimed from the queue until it is resumed, or until the given time. */
export function createPauseQueue(deps: ChangeQueueDeps): UseCases['pauseQueue'] {
  const changeQueue = createChangeQueue(deps);
  return (context, queue, { reason, until }) =>
    changeQueue(context, queue, (at) => ({ type: 'PauseQueue', reason, until, at }));
}
