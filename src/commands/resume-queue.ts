import { type ChangeQueueDeps, createChangeQueue } from './change-queue.ts';
import type { UseCases } from './use-cases.ts';

export function createResumeQueue(deps: ChangeQueueDeps): UseCases['resumeQueue'] {
  const changeQueue = createChangeQueue(deps);
  return (context, queue, { reason }) =>
    changeQueue(context, queue, (at) => ({ type: 'ResumeQueue', reason, at }));
}
