import { type ChangeJobDeps, createChangeJob } from './change-job.ts';
import { DEFAULT_CANCEL_GRACE_MS } from './job-defaults.ts';
import type { UseCases } from './use-cases.ts';

/** A waiting job is cancelled at once; a running one is asked to stop, and forced after the grace time. */
export function createCancelJob(deps: ChangeJobDeps): UseCases['cancelJob'] {
  const changeJob = createChangeJob(deps);
  return (context, jobId, { reason, graceMs = DEFAULT_CANCEL_GRACE_MS, expectedRevision }) =>
    changeJob(context, jobId, { expectedRevision }, (at) => ({ type: 'CancelJob', reason, graceMs, at }));
}
