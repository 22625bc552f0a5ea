import { type ChangeJobDeps, createChangeJob } from './change-job.ts';
import type { UseCases } from './use-cases.ts';

/** Puts a dead letter back to work, as it was or edited. */
export function createReplayDeadLetter(deps: ChangeJobDeps): UseCases['replayDeadLetter'] {
  const changeJob = createChangeJob(deps);
  return (context, jobId, request) => {
    const { payload, queue, runAt, reason } = request;
    return changeJob(context, jobId, request, (at) => ({
      type: 'ReplayDeadLetter',
      payload,
      queue,
      runAt,
      reason,
      at,
    }));
  };
}
