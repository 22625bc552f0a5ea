import type { JobCommand, JobRejection } from '../domain/job/commands.ts';
import { jobDecider } from '../domain/job/decider.ts';
import type { JobEvent } from '../domain/job/events.ts';
import type { Job } from '../domain/job/state.ts';
import { type Handled, Handler, type Known } from './handle.ts';
import { jobCodec } from './job-codec.ts';
import type { EventLog } from './ports.ts';
import type { JobSnapshot } from './use-cases.ts';

export type JobHandler = Handler<JobCommand, Job, JobEvent, JobRejection>;

export type HandledJob = Handled<Job, JobEvent, JobRejection>;

export const createJobHandler = (log: EventLog): JobHandler => new Handler(log, jobDecider, jobCodec);

/** undefined when there is no job to show. */
export const snapshotOf = (
  tenantId: string,
  jobId: string,
  { state, revision }: Known<Job>,
): JobSnapshot | undefined =>
  state.status === 'none' || state.status === 'voided'
    ? undefined
    : { tenantId, jobId, revision, job: state };
