import { unreachable } from '../decider.ts';
import type { JobEnqueued, JobEvent } from './events.ts';
import { LEASE_EXPIRED } from './service-errors.ts';
import type { ExistingJob, Job, JobStatus, LeaseEnd } from './state.ts';

/**
 * The job after an event that occurred at a time. Total: an event that makes no sense for the state leaves it as it is,
 * because the past can't be refused.
 */
export function evolve(job: Job, event: JobEvent, at: number): Job {
  if (job.status === 'none' || job.status === 'voided') {
    if (job.status === 'voided') return job;
    if (event.type === 'JobVoided') return { status: 'voided' };
    return event.type === 'JobEnqueued' ? enqueued(event.data, at) : job;
  }
  return evolveExisting(job, event, at);
}

function enqueued(data: JobEnqueued['data'], at: number): ExistingJob {
  const runAt = data.runAt ?? at;
  return {
    status: runAt > at ? 'scheduled' : 'queued',
    type: data.type,
    queue: data.queue,
    priority: data.priority,
    payload: data.payload,
    tags: data.tags,
    maxAttempts: data.maxAttempts,
    retry: data.retry,
    timeoutMs: data.timeoutMs,
    deadlineAt: data.deadlineAt,
    dedupeKey: data.dedupeKey,
    runAt,
    enqueuedAt: at,
    spentAttempts: 0,
    attempt: 1,
  };
}

function evolveExisting(job: ExistingJob, event: JobEvent, at: number): ExistingJob {
  switch (event.type) {
    case 'JobEnqueued':
    case 'JobVoided':
      return job;
    case 'JobStarted': {
      const { attempt, workerId, leaseId, leaseMs } = event.data;
      return { ...job, status: 'running', attempt, lease: { workerId, leaseId, leaseMs, startedAt: at } };
    }
    case 'JobCompleted':
      return {
        ...leaseEnded(job, 'completed'),
        status: 'completed',
        finishedAt: at,
        result: event.data.result,
      };
    case 'JobFailed':
      return {
        ...leaseEnded(job, event.data.cause ?? 'failed'),
        status: statusOnceFailed(job, event.data.willRetry),
        spentAttempts: event.data.attempt,
        lastError: event.data.error,
      };
    case 'LeaseExpired':
      return {
        ...leaseEnded(job, 'expired'),
        status: 'retrying',
        spentAttempts: event.data.attempt,
        lastError: LEASE_EXPIRED,
      };
    case 'JobReleased': {
      const runAt = event.data.runAt ?? at;
      return { ...leaseEnded(job, 'released'), status: runAt > at ? 'scheduled' : 'queued', runAt };
    }
    case 'JobRetried': {
      const { runAt, attempt, spentAttempts, payload, by } = event.data;
      const waiting = putBack(job, runAt, at, 'retrying', by === 'person');
      return { ...waiting, attempt, spentAttempts, payload: payload ?? job.payload };
    }
    case 'DeadLetterReplayed': {
      const { runAt = at, queue, payload } = event.data;
      const waiting = putBack(job, runAt, at, 'scheduled', true);
      return { ...waiting, attempt: 1, spentAttempts: 0, queue, payload: payload ?? job.payload };
    }
    case 'JobCancelRequested': {
      const { reason, forceAt } = event.data;
      return job.lease ? { ...job, cancelRequest: { reason, forceAt } } : job;
    }
    case 'JobCancelled':
      return {
        ...(job.lease ? leaseEnded(job, 'cancelled') : job),
        status: 'cancelled',
        finishedAt: at,
        reason: event.data.reason,
      };
    case 'JobDeadLettered': {
      const { reason, error } = event.data;
      return { ...job, status: 'dead_lettered', finishedAt: at, reason, lastError: error };
    }
    case 'DeadLetterPurged':
      return { ...job, status: 'purged', finishedAt: at, reason: event.data.reason };
    case 'JobAmended': {
      const {
        priority = job.priority,
        runAt = job.runAt,
        payload = job.payload,
        tags = job.tags,
      } = event.data;
      return { ...job, status: statusOnceAmended(job, runAt, at), priority, runAt, payload, tags };
    }
    default:
      return unreachable(event);
  }
}

/** Stands only until the next event of the same append, which says when it runs again or why it does not. */
function statusOnceFailed(job: ExistingJob, willRetry: boolean): JobStatus {
  if (willRetry) return 'retrying';
  return job.cancelRequest ? 'cancelled' : 'dead_lettered';
}

function leaseEnded(job: ExistingJob, ended: LeaseEnd): ExistingJob {
  const lastLease = job.lease ? { leaseId: job.lease.leaseId, ended } : job.lastLease;
  return { ...job, lease: undefined, cancelRequest: undefined, lastLease };
}

/** Waiting again. A deadline that a person's new start can no longer meet is dropped: it would kill the job at once. */
function putBack(
  job: ExistingJob,
  runAt: number,
  at: number,
  ahead: JobStatus,
  byPerson: boolean,
): ExistingJob {
  const missed = byPerson && job.deadlineAt !== undefined && job.deadlineAt <= Math.max(runAt, at);
  return {
    ...job,
    status: runAt > at ? ahead : 'queued',
    runAt,
    deadlineAt: missed ? undefined : job.deadlineAt,
    finishedAt: undefined,
    result: undefined,
    reason: undefined,
  };
}

function statusOnceAmended(job: ExistingJob, runAt: number, at: number): JobStatus {
  if (runAt === job.runAt) return job.status;
  if (runAt <= at) return 'queued';
  return job.status === 'retrying' ? 'retrying' : 'scheduled';
}
