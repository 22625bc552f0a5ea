import type { RetryPolicy } from '../domain/job/retry-policy.ts';
import { isJobId } from './job-id.ts';
import type { EnqueueRequest } from './use-cases.ts';

/** A request that every edge should have refused: it would poison read models or could not be carried out. */
export class InvalidJobError extends Error {
  readonly code = 'invalid_job';
  /** Place of the job in its call. */
  readonly index: number;
  constructor(index: number, message: string) {
    super(`job ${index}: ${message}`);
    this.index = index;
  }
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$/;
const MAX_KEY_LENGTH = 200;
const MAX_TAGS = 20;
const MAX_TAG_LENGTH = 100;
const MAX_ATTEMPTS = 1_000;
const MAX_STEPS = 100;
/** Postgres can't hold NUL in text; half a surrogate pair has no UTF-8. */
const UNSTORABLE = '\0';

/** Throws InvalidJobError. Whether the payload is JSON is not looked into: it is kept as it came. */
export function assertWellFormed(request: EnqueueRequest, index: number): void {
  const wrong = problemOf(request);
  if (wrong) throw new InvalidJobError(index, wrong);
}

function problemOf(request: EnqueueRequest): string | undefined {
  const { jobId, type, queue, priority, maxAttempts, timeoutMs, deadlineAt, dedupeKey, tags, retry } =
    request;
  if (jobId !== undefined && !isJobId(jobId)) return 'jobId must be a lower-case UUID';
  if (!isName(type)) return 'type must be letters, digits and _.:-, at most 100';
  if (queue !== undefined && !isName(queue)) return 'queue must be letters, digits and _.:-, at most 100';
  if (priority !== undefined && !isWhole(priority, 1, 9)) return 'priority must be 1 to 9';
  if (maxAttempts !== undefined && !isWhole(maxAttempts, 1, MAX_ATTEMPTS))
    return 'maxAttempts must be 1 to 1000';
  if (timeoutMs !== undefined && !isWhole(timeoutMs, 1, LONGEST_MS))
    return 'timeoutMs must be a whole number, at most ten years';
  if (deadlineAt !== undefined && !isWhole(deadlineAt, 0))
    return 'deadlineAt must be milliseconds since 1970';
  if (dedupeKey !== undefined && !isText(dedupeKey, MAX_KEY_LENGTH))
    return 'dedupeKey must be 1 to 200 characters';
  if (tags !== undefined && !(tags.length <= MAX_TAGS && tags.every((tag) => isText(tag, MAX_TAG_LENGTH))))
    return 'tags must be at most 20, each of 1 to 100 characters';
  if (retry !== undefined && !isRetryPolicy(retry)) return 'retry has durations or steps out of range';
  return undefined;
}

/** A program's `any` is not seen by the compiler, and a pattern takes null and lists for text. */
const isName = (name: unknown): boolean => typeof name === 'string' && NAME.test(name);

/** The latest time that a Date can hold. */
const LATEST = 8_640_000_000_000_000;
/** Ten years: added to a time, it must still be one. */
const LONGEST_MS = 10 * 366 * 86_400_000;

function isWhole(value: number, min: number, max: number = LATEST): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

function isText(text: string, maxLength: number): boolean {
  return text.length > 0 && text.length <= maxLength && !text.includes(UNSTORABLE) && text.isWellFormed();
}

function isRetryPolicy(retry: RetryPolicy): boolean {
  switch (retry.kind) {
    case 'none':
      return true;
    case 'fixed':
      return isWhole(retry.delayMs, 0, LONGEST_MS);
    case 'steps':
      return retry.stepsMs.length <= MAX_STEPS && retry.stepsMs.every((step) => isWhole(step, 0, LONGEST_MS));
    case 'exponential':
      return (
        isWhole(retry.baseMs, 0, LONGEST_MS) &&
        isWhole(retry.maxMs, 0, LONGEST_MS) &&
        retry.factor >= 1 &&
        Number.isFinite(retry.factor)
      );
    default:
      return false;
  }
}
