import type {
  DeadLetterPurged,
  DeadLetterReplayed,
  JobAmended,
  JobCancelled,
  JobCancelRequested,
  JobCompleted,
  JobDeadLettered,
  JobEnqueued,
  JobError,
  JobFailed,
  JobReleased,
  JobRetried,
  JobStarted,
  JobVoided,
  LeaseExpired,
} from '../../src/domain/job/events.ts';
import { asJsonText } from '../../src/domain/json-text.ts';

/** Job events with everything filled in that a test does not care about. */

export const identity = { type: 'mail.send', queue: 'default', priority: 5 } as const;

export const boom: JobError = { type: 'Error', message: 'boom', fingerprint: 'f00d' };

export const jobData = (data: Partial<JobEnqueued['data']> = {}): JobEnqueued['data'] => ({
  ...identity,
  payload: asJsonText('{"to":"ada"}'),
  maxAttempts: 3,
  retry: { kind: 'fixed', delayMs: 1000 },
  tags: [],
  ...data,
});

export const enqueued = (data: Partial<JobEnqueued['data']> = {}): JobEnqueued => ({
  type: 'JobEnqueued',
  data: jobData(data),
});

export const started = (data: Partial<JobStarted['data']> = {}): JobStarted => ({
  type: 'JobStarted',
  data: { ...identity, attempt: 1, workerId: 'w1', leaseId: 'L1', leaseMs: 30_000, ...data },
});

export const completed = (data: Partial<JobCompleted['data']> = {}): JobCompleted => ({
  type: 'JobCompleted',
  data: { ...identity, attempt: 1, ...data },
});

export const failed = (data: Partial<JobFailed['data']> = {}): JobFailed => ({
  type: 'JobFailed',
  data: { ...identity, attempt: 1, error: boom, willRetry: true, ...data },
});

export const retried = (data: Partial<JobRetried['data']> = {}): JobRetried => ({
  type: 'JobRetried',
  data: { ...identity, attempt: 2, by: 'policy', runAt: 3000, spentAttempts: 1, ...data },
});

export const released = (data: Partial<JobReleased['data']> = {}): JobReleased => ({
  type: 'JobReleased',
  data: { attempt: 1, reason: 'deploy', ...data },
});

export const leaseExpired = (data: Partial<LeaseExpired['data']> = {}): LeaseExpired => ({
  type: 'LeaseExpired',
  data: { attempt: 1, workerId: 'w1', ...data },
});

export const cancelRequested = (data: Partial<JobCancelRequested['data']> = {}): JobCancelRequested => ({
  type: 'JobCancelRequested',
  data: { reason: 'changed my mind', forceAt: 1500, ...data },
});

export const cancelled = (data: Partial<JobCancelled['data']> = {}): JobCancelled => ({
  type: 'JobCancelled',
  data: { ...identity, reason: 'changed my mind', forced: false, ...data },
});

export const deadLettered = (data: Partial<JobDeadLettered['data']> = {}): JobDeadLettered => ({
  type: 'JobDeadLettered',
  data: { ...identity, attempt: 1, reason: 'fatal_error', error: boom, ...data },
});

export const replayed = (data: Partial<DeadLetterReplayed['data']> = {}): DeadLetterReplayed => ({
  type: 'DeadLetterReplayed',
  data: { ...identity, ...data },
});

export const purged = (data: Partial<DeadLetterPurged['data']> = {}): DeadLetterPurged => ({
  type: 'DeadLetterPurged',
  data: { ...identity, reason: 'test data', ...data },
});

export const amended = (data: JobAmended['data']): JobAmended => ({ type: 'JobAmended', data });

export const voided: JobVoided = { type: 'JobVoided', data: { reason: 'never created' } };
