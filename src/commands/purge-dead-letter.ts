import { type ChangeJobDeps, createChangeJob } from './change-job.ts';
import type { UseCases } from './use-cases.ts';

/** Gives a dead letter up for good. */
export function createPurgeDeadLetter(deps: ChangeJobDeps): UseCases['purgeDeadLetter'] {
  const changeJob = createChangeJob(deps);
  return (context, jobId, { reason, expectedRevision }) =>
    changeJob(context, jobId, { expectedRevision }, (at) => ({ type: 'PurgeDeadLetter', reason, at }));
}
