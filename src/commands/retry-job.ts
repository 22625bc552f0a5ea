import { type ChangeJobDeps, createChangeJob } from './change-job.ts';
import type { UseCases } from './use-cases.ts';

/** A person wants the job to run again, or sooner. */
export function createRetryJob(deps: ChangeJobDeps): UseCases['retryJob'] {
  const changeJob = createChangeJob(deps);
  return (context, jobId, request) => {
    const { runAt, payload, resetAttempts = false, reason } = request;
    return changeJob(context, jobId, request, (at) => ({
      type: 'RetryJob',
      runAt,
      payload,
      resetAttempts,
      reason,
      at,
    }));
  };
}
