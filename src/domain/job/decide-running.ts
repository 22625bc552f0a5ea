import { accepted, type Decision, rejected } from '../decider.ts';
import type { JobCommandOf, JobRejection } from './commands.ts';
import type { DeadLetterReason, JobError, JobEvent, JobFailed, LeaseExpired } from './events.ts';
import { identityOf } from './identity.ts';
import { nextRetryAt } from './retry-policy.ts';
import { ATTEMPT_TIMED_OUT, LEASE_EXPIRED } from './service-errors.ts';
import type { ExistingJob, LeaseEnd } from './state.ts';

type JobDecision = Decision<JobEvent, JobRejection>;

export function complete(command: JobCommandOf<'CompleteJob'>, job: ExistingJob): JobDecision {
  if (!holdsLease(job, command.leaseId)) return repeated(job, command.leaseId, 'completed');
  const { result } = command;
  return accepted<JobEvent>({
    type: 'JobCompleted',
    data: { ...identityOf(job), attempt: job.attempt, result },
  });
}

export function fail(command: JobCommandOf<'FailJob'>, job: ExistingJob): JobDecision {
  if (!holdsLease(job, command.leaseId)) return repeated(job, command.leaseId, 'failed');
  const { at, error, fatal, retryAfterMs } = command;
  const wanted =
    retryAfterMs === undefined ? retryAtByPolicy(job, at, command.jitter) : Math.round(at + retryAfterMs);
  const next = afterFailure(job, error, fatal ? undefined : wanted, fatal ? 'fatal_error' : 'attempts_spent');
  return accepted<JobEvent>(failed(job, error, next), next);
}

/** The worker gives the attempt back unfinished: it is not spent, and the next one has the same number. */
export function release(command: JobCommandOf<'ReleaseJob'>, job: ExistingJob): JobDecision {
  if (!holdsLease(job, command.leaseId)) return repeated(job, command.leaseId, 'released');
  const { reason, runAt } = command;
  const released: JobEvent = { type: 'JobReleased', data: { attempt: job.attempt, reason, runAt } };
  return job.cancelRequest ? accepted(released, cancelled(job, false)) : accepted(released);
}

export function acknowledgeCancel(command: JobCommandOf<'AcknowledgeCancel'>, job: ExistingJob): JobDecision {
  if (!holdsLease(job, command.leaseId)) return repeated(job, command.leaseId, 'cancelled');
  if (!job.cancelRequest) return rejected('cancel_not_requested');
  return accepted<JobEvent>(cancelled(job, false));
}

export function expireLease(command: JobCommandOf<'ExpireLease'>, job: ExistingJob): JobDecision {
  if (!holdsLease(job, command.leaseId)) return repeated(job, command.leaseId, 'expired');
  const { workerId } = job.lease;
  const expired: LeaseExpired = { type: 'LeaseExpired', data: { attempt: job.attempt, workerId } };
  const runAt = retryAtByPolicy(job, command.at, command.jitter);
  return accepted<JobEvent>(expired, afterFailure(job, LEASE_EXPIRED, runAt, 'attempts_spent'));
}

export function timeOutAttempt(command: JobCommandOf<'TimeOutAttempt'>, job: ExistingJob): JobDecision {
  if (!holdsLease(job, command.leaseId)) return repeated(job, command.leaseId, 'timeout');
  if (job.timeoutMs === undefined || command.at < job.lease.startedAt + job.timeoutMs)
    return rejected('job_not_due');
  const runAt = retryAtByPolicy(job, command.at, command.jitter);
  const next = afterFailure(job, ATTEMPT_TIMED_OUT, runAt, 'attempts_spent');
  return accepted<JobEvent>(failed(job, ATTEMPT_TIMED_OUT, next, 'timeout'), next);
}

/** What follows a failed attempt, in the same append: another try at `retryAt`, a dead letter, or a cancel asked for before. */
export function afterFailure(
  job: ExistingJob,
  error: JobError,
  retryAt: number | undefined,
  otherwise: DeadLetterReason,
): JobEvent {
  const { attempt } = job;
  if (job.cancelRequest) return cancelled(job, false);
  if (retryAt === undefined || attempt >= job.maxAttempts)
    return { type: 'JobDeadLettered', data: { ...identityOf(job), attempt, reason: otherwise, error } };
  return {
    type: 'JobRetried',
    data: {
      ...identityOf(job),
      attempt: attempt + 1,
      by: 'policy',
      runAt: retryAt,
      spentAttempts: attempt,
    },
  };
}

export function failed(
  job: ExistingJob,
  error: JobError,
  next: JobEvent,
  cause?: JobFailed['data']['cause'],
): JobFailed {
  const willRetry = next.type === 'JobRetried';
  return { type: 'JobFailed', data: { ...identityOf(job), attempt: job.attempt, error, willRetry, cause } };
}

export function cancelled(job: ExistingJob, forced: boolean): JobEvent {
  const reason = job.cancelRequest?.reason;
  return { type: 'JobCancelled', data: { ...identityOf(job), reason, forced } };
}

function retryAtByPolicy(job: ExistingJob, at: number, jitter: number): number | undefined {
  return nextRetryAt(job.retry, { attempt: job.attempt, at, jitter });
}

type LeasedJob = ExistingJob & { readonly lease: NonNullable<ExistingJob['lease']> };

function holdsLease(job: ExistingJob, leaseId: string): job is LeasedJob {
  return job.lease?.leaseId === leaseId;
}

/** Said again about a lease that ended just so, it is done already; anything else about an ended lease comes too late. */
function repeated(job: ExistingJob, leaseId: string, ended: LeaseEnd): JobDecision {
  const done = job.lastLease?.leaseId === leaseId && job.lastLease.ended === ended;
  return done ? accepted<JobEvent>() : rejected('lease_lost');
}
