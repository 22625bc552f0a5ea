import { accepted, type Decision, rejected } from '../decider.ts';
import type { JobCommandOf, JobRejection } from './commands.ts';
import { afterFailure, cancelled, failed } from './decide-running.ts';
import { notWaiting } from './decide-waiting.ts';
import type { JobEvent } from './events.ts';
import { identityOf } from './identity.ts';
import { DEADLINE_PASSED } from './service-errors.ts';
import type { ExistingJob } from './state.ts';

type JobDecision = Decision<JobEvent, JobRejection>;

/**
 * A waiting job is cancelled at once. A running one is asked: the worker acknowledges, or the cancel is forced after the
 * grace time. Asking again matters only when it shortens the grace.
 */
export function cancel(command: JobCommandOf<'CancelJob'>, job: ExistingJob): JobDecision {
  const { at, reason, graceMs } = command;
  if (job.status === 'cancelled') return accepted<JobEvent>();
  if (job.status === 'running') {
    const forceAt = at + graceMs;
    if (job.cancelRequest && job.cancelRequest.forceAt <= forceAt) return accepted<JobEvent>();
    return accepted<JobEvent>({ type: 'JobCancelRequested', data: { reason, forceAt } });
  }
  const refusal = notWaiting(job);
  if (refusal) return rejected(refusal);
  return accepted<JobEvent>({ type: 'JobCancelled', data: { ...identityOf(job), reason, forced: false } });
}

export function forceCancel(command: JobCommandOf<'ForceCancel'>, job: ExistingJob): JobDecision {
  if (job.status === 'cancelled') return accepted<JobEvent>();
  if (job.cancelRequest) {
    if (command.at < job.cancelRequest.forceAt) return rejected('job_not_due');
    return accepted<JobEvent>(cancelled(job, true));
  }
  if (job.status === 'running') return rejected('cancel_not_requested');
  return rejected(notWaiting(job) ?? 'cancel_not_requested');
}

/** The job is worthless from now on, waiting or running: a dead letter, or cancelled when that was asked for. */
export function expireDeadline(command: JobCommandOf<'ExpireDeadline'>, job: ExistingJob): JobDecision {
  if (job.status === 'dead_lettered' && job.reason === 'deadline_passed') return accepted<JobEvent>();
  if (job.status !== 'running') {
    const refusal = notWaiting(job);
    if (refusal) return rejected(refusal);
  }
  if (job.deadlineAt === undefined || command.at < job.deadlineAt) return rejected('job_not_due');
  if (job.status === 'running') {
    const next = afterFailure(job, DEADLINE_PASSED, undefined, 'deadline_passed');
    return accepted<JobEvent>(failed(job, DEADLINE_PASSED, next, 'deadline'), next);
  }
  return accepted<JobEvent>({
    type: 'JobDeadLettered',
    data: {
      ...identityOf(job),
      attempt: job.spentAttempts,
      reason: 'deadline_passed',
      error: DEADLINE_PASSED,
    },
  });
}
