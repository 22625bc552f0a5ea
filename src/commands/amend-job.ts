import { type ChangeJobDeps, createChangeJob } from './change-job.ts';
import type { UseCases } from './use-cases.ts';

/** Changes a job that waits. */
export function createAmendJob(deps: ChangeJobDeps): UseCases['amendJob'] {
  const changeJob = createChangeJob(deps);
  return (context, jobId, request) => {
    const { priority, runAt, payload, tags, reason } = request;
    return changeJob(context, jobId, request, (at) => ({
      type: 'AmendJob',
      priority,
      runAt,
      payload,
      tags,
      reason,
      at,
    }));
  };
}
