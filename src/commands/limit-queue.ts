import { type ChangeQueueDeps, createChangeQueue } from './change-queue.ts';
import type { UseCases } from './use-cases.ts';

/** Sets how many attempts of the queue may run at once. */
export function createLimitQueue(deps: ChangeQueueDeps): UseCases['limitQueue'] {
  const changeQueue = createChangeQueue(deps);
  return (context, queue, { concurrencyLimit, reason }) =>
    changeQueue(context, queue, (at) => ({ type: 'LimitQueue', concurrencyLimit, reason, at }));
}
