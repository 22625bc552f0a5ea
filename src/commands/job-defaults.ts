import type { JobEnqueued } from '../domain/job/events.ts';
import type { RetryPolicy } from '../domain/job/retry-policy.ts';
import type { EnqueueRequest } from './use-cases.ts';

export const DEFAULT_QUEUE = 'default';
export const DEFAULT_PRIORITY = 5;
export const DEFAULT_MAX_ATTEMPTS = 3;
export const DEFAULT_RETRY: RetryPolicy = {
  kind: 'exponential',
  baseMs: 1_000,
  factor: 2,
  maxMs: 3_600_000,
};
/** How long a running job has to answer a cancel before it is forced. */
export const DEFAULT_CANCEL_GRACE_MS = 30_000;

const NO_TAGS: readonly string[] = [];

/** What a job is enqueued with when its request leaves things out. */
export const withDefaults = (request: EnqueueRequest): JobEnqueued['data'] => ({
  type: request.type,
  queue: request.queue ?? DEFAULT_QUEUE,
  priority: request.priority ?? DEFAULT_PRIORITY,
  payload: request.payload,
  runAt: request.runAt,
  maxAttempts: request.maxAttempts ?? DEFAULT_MAX_ATTEMPTS,
  retry: request.retry ?? DEFAULT_RETRY,
  timeoutMs: request.timeoutMs,
  deadlineAt: request.deadlineAt,
  dedupeKey: request.dedupeKey,
  tags: request.tags ?? NO_TAGS,
});
