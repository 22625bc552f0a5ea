import { accepted, type Decision, rejected, unreachable } from '../decider.ts';
import type { JobCommandOf, JobRejection } from './commands.ts';
import { replayDeadLetter } from './decide-dead-letter.ts';
import type { JobAmended, JobEvent } from './events.ts';
import { identityOf } from './identity.ts';
import type { ExistingJob } from './state.ts';
import { statusAt } from './status-at.ts';

type JobDecision = Decision<JobEvent, JobRejection>;

/**
 * A job whose deadline has passed does not start: it is finished but for the dead letter that the deadline timer
 * writes, so the claim is answered `job_finished` and must not be offered again.
 */
export function start(command: JobCommandOf<'StartJob'>, job: ExistingJob): JobDecision {
  const { at, workerId, leaseId, leaseMs } = command;
  if (job.lease?.leaseId === leaseId) return accepted<JobEvent>();
  const refusal = notWaiting(job);
  if (refusal) return rejected(refusal);
  if (job.lastLease?.leaseId === leaseId) return rejected('lease_lost');
  if (job.deadlineAt !== undefined && at >= job.deadlineAt) return rejected('job_finished');
  if (at < job.runAt) return rejected('job_not_due');
  return accepted<JobEvent>({
    type: 'JobStarted',
    data: { ...identityOf(job), attempt: job.spentAttempts + 1, workerId, leaseId, leaseMs },
  });
}

/** Only what really changes goes into the event; when nothing does, there is none. */
export function amend(command: JobCommandOf<'AmendJob'>, job: ExistingJob): JobDecision {
  const refusal = notWaiting(job);
  if (refusal) return rejected(refusal);
  const { reason } = command;
  const changes: JobAmended['data'] = {
    ...(differs(command.priority, job.priority) && { priority: command.priority }),
    ...(differs(command.runAt, job.runAt) && { runAt: command.runAt }),
    ...(differs(command.payload, job.payload) && { payload: command.payload }),
    ...(command.tags && !sameTags(command.tags, job.tags) && { tags: command.tags }),
  };
  return Object.keys(changes).length === 0
    ? accepted<JobEvent>()
    : accepted<JobEvent>({ type: 'JobAmended', data: { ...changes, ...(reason && { reason }) } });
}

/**
 * A person wants it to run (again). A dead letter is replayed; a cancelled job comes back; a job that waits for its time
 * or its backoff is moved. `resetAttempts` counts from 1 again, which also happens when no attempt is left.
 */
export function retry(command: JobCommandOf<'RetryJob'>, job: ExistingJob): JobDecision {
  switch (job.status) {
    case 'running':
      return rejected('job_running');
    case 'completed':
    case 'purged':
      return rejected('job_finished');
    case 'dead_lettered':
      return replayDeadLetter(command, job);
    case 'cancelled':
      // It has let go of its dedupe key, so another job may be living under it.
      if (job.dedupeKey !== undefined) return rejected('job_finished');
      return accepted<JobEvent>(retriedByPerson(command, job));
    case 'queued':
    case 'scheduled':
    case 'retrying':
      if (statusAt(job, command.at) === 'queued') return rejected('job_waiting');
      return movesNothing(command, job)
        ? accepted<JobEvent>()
        : accepted<JobEvent>(retriedByPerson(command, job));
    default:
      return unreachable(job.status);
  }
}

function retriedByPerson(command: JobCommandOf<'RetryJob'>, job: ExistingJob): JobEvent {
  const { at, runAt = at, reason, payload, resetAttempts } = command;
  const afresh = resetAttempts || job.spentAttempts >= job.maxAttempts;
  const spentAttempts = afresh ? 0 : job.spentAttempts;
  return {
    type: 'JobRetried',
    data: {
      ...identityOf(job),
      attempt: spentAttempts + 1,
      by: 'person',
      runAt,
      reason,
      spentAttempts,
      payload,
      ...(job.status === 'cancelled' && { revives: true }),
    },
  };
}

function movesNothing(command: JobCommandOf<'RetryJob'>, job: ExistingJob): boolean {
  return (
    command.runAt === job.runAt &&
    !differs(command.payload, job.payload) &&
    !(command.resetAttempts && job.spentAttempts > 0)
  );
}

export function notWaiting(job: ExistingJob): JobRejection | undefined {
  switch (job.status) {
    case 'scheduled':
    case 'queued':
    case 'retrying':
      return undefined;
    case 'running':
      return 'job_running';
    case 'dead_lettered':
      return 'job_dead_lettered';
    case 'completed':
    case 'cancelled':
    case 'purged':
      return 'job_finished';
    default:
      return unreachable(job.status);
  }
}

function differs<T>(wanted: T | undefined, actual: T): boolean {
  return wanted !== undefined && wanted !== actual;
}

function sameTags(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((tag, index) => tag === b[index]);
}
