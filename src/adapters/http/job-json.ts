import type { JobSnapshot } from '../../commands/use-cases.ts';
import type { ExistingJob } from '../../domain/job/state.ts';
import { statusAt } from '../../domain/job/status-at.ts';
import type { Job, JobError } from './contract/jobs.ts';
import { formatOptionalTime, formatTime } from './rfc3339.ts';

/** A job of the contract as JSON text; payload and result go in byte for byte. `now` decides what counts as queued. */
export function jobToJson(snapshot: JobSnapshot, now: number, extra?: object): string {
  const { payload, result } = snapshot.job;
  const fields = JSON.stringify({ ...jobFields(snapshot, now), ...extra });
  const tail = result === undefined ? '' : `,"result":${result}`;
  return `${fields.slice(0, -1)},"payload":${payload}${tail}}`;
}

function jobFields(
  { tenantId, jobId, revision, job }: JobSnapshot,
  now: number,
): Omit<Job, 'payload' | 'result'> {
  return {
    id: jobId,
    tenantId,
    revision,
    type: job.type,
    queue: job.queue,
    priority: job.priority,
    status: statusAt(job, now),
    attempt: job.attempt,
    spentAttempts: job.spentAttempts,
    maxAttempts: job.maxAttempts,
    retry: job.retry as Job['retry'],
    timeoutMs: job.timeoutMs ?? null,
    tags: job.tags as string[],
    dedupeKey: job.dedupeKey ?? null,
    enqueuedAt: formatTime(job.enqueuedAt),
    runAt: formatTime(job.runAt),
    deadlineAt: formatOptionalTime(job.deadlineAt),
    finishedAt: formatOptionalTime(job.finishedAt),
    lease: leaseView(job),
    cancelRequest: cancelView(job),
    lastError: job.lastError ? errorView(job.lastError) : null,
    reason: job.reason ?? null,
  };
}

const leaseView = ({ lease }: ExistingJob): Job['lease'] =>
  lease ? { workerId: lease.workerId, startedAt: formatTime(lease.startedAt), leaseMs: lease.leaseMs } : null;

const cancelView = ({ cancelRequest }: ExistingJob): Job['cancelRequest'] =>
  cancelRequest ? { reason: cancelRequest.reason ?? null, forceAt: formatTime(cancelRequest.forceAt) } : null;

export const errorView = (error: {
  readonly type: string;
  readonly message: string;
  readonly stack?: string | null | undefined;
  readonly fingerprint: string;
}): JobError => ({
  type: error.type,
  message: error.message,
  stack: error.stack ?? null,
  fingerprint: error.fingerprint,
});
