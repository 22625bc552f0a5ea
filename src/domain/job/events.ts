import type { JsonText } from '../json-text.ts';
import type { RetryPolicy } from './retry-policy.ts';

/** Why an attempt failed, as the worker told it. `fingerprint` groups errors that are alike. */
export interface JobError {
  readonly type: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly fingerprint: string;
}

/** Repeated on the events that go out to other services, so that each can be understood on its own. */
export interface JobIdentity {
  readonly type: string;
  readonly queue: string;
  readonly priority: number;
}

export interface JobEnqueued {
  readonly type: 'JobEnqueued';
  readonly data: JobIdentity & {
    readonly payload: JsonText;
    /** Absent: as soon as possible. Milliseconds since 1970, like every time in an event. */
    readonly runAt?: number | undefined;
    readonly maxAttempts: number;
    readonly retry: RetryPolicy;
    /** Longest time one attempt may take. */
    readonly timeoutMs?: number | undefined;
    /** The job is worthless when it is not finished by then. */
    readonly deadlineAt?: number | undefined;
    readonly dedupeKey?: string | undefined;
    readonly tags: readonly string[];
    /** The reservation that its slot comes from, where the tenant's quota demands one. Never published. */
    readonly reservationId?: string | undefined;
  };
}

export interface JobStarted {
  readonly type: 'JobStarted';
  readonly data: JobIdentity & {
    readonly attempt: number;
    readonly workerId: string;
    /** Secret of this attempt: with the event's revision it is the fencing token. Never published. */
    readonly leaseId: string;
    readonly leaseMs: number;
  };
}

export interface JobCompleted {
  readonly type: 'JobCompleted';
  readonly data: JobIdentity & {
    readonly attempt: number;
    readonly result?: JsonText | undefined;
  };
}

export interface JobFailed {
  readonly type: 'JobFailed';
  readonly data: JobIdentity & {
    readonly attempt: number;
    readonly error: JobError;
    readonly willRetry: boolean;
    /** The service ended the attempt; absent: the worker said that it failed. */
    readonly cause?: 'timeout' | 'deadline' | undefined;
  };
}

export interface JobRetried {
  readonly type: 'JobRetried';
  readonly data: JobIdentity & {
    /** The attempt that comes next. */
    readonly attempt: number;
    readonly by: 'policy' | 'person';
    readonly runAt: number;
    readonly reason?: string | undefined;
    /** Attempts spent so far after this event: 0 when a person starts the count afresh. */
    readonly spentAttempts: number;
    /** A new payload given with the retry. */
    readonly payload?: JsonText | undefined;
    /** The job was cancelled: it is unfinished again. */
    readonly revives?: true | undefined;
  };
}

export interface JobReleased {
  readonly type: 'JobReleased';
  readonly data: {
    readonly attempt: number;
    readonly reason: string;
    readonly runAt?: number | undefined;
  };
}

export interface LeaseExpired {
  readonly type: 'LeaseExpired';
  readonly data: { readonly attempt: number; readonly workerId: string };
}

export interface JobCancelRequested {
  readonly type: 'JobCancelRequested';
  readonly data: {
    readonly reason?: string | undefined;
    /** When the cancel is forced if the worker does not answer. */
    readonly forceAt: number;
  };
}

export interface JobCancelled {
  readonly type: 'JobCancelled';
  readonly data: JobIdentity & {
    readonly reason?: string | undefined;
    /** The worker did not acknowledge within the grace time. */
    readonly forced: boolean;
  };
}

export type DeadLetterReason = 'attempts_spent' | 'fatal_error' | 'deadline_passed';

export interface JobDeadLettered {
  readonly type: 'JobDeadLettered';
  readonly data: JobIdentity & {
    /** The last attempt; 0 when the job never ran. */
    readonly attempt: number;
    readonly reason: DeadLetterReason;
    readonly error: JobError;
  };
}

export interface DeadLetterReplayed {
  readonly type: 'DeadLetterReplayed';
  readonly data: JobIdentity & {
    readonly runAt?: number | undefined;
    readonly reason?: string | undefined;
    /** The payload when it was edited; absent: as it was. */
    readonly payload?: JsonText | undefined;
  };
}

export interface DeadLetterPurged {
  readonly type: 'DeadLetterPurged';
  readonly data: JobIdentity & { readonly reason: string };
}

export interface JobAmended {
  readonly type: 'JobAmended';
  readonly data: {
    readonly priority?: number | undefined;
    readonly runAt?: number | undefined;
    readonly payload?: JsonText | undefined;
    readonly tags?: readonly string[] | undefined;
    readonly reason?: string | undefined;
  };
}

/** Event 0 of a job that was reserved but never created: fences a late creation off. */
export interface JobVoided {
  readonly type: 'JobVoided';
  readonly data: { readonly reason: string };
}

export type JobEvent =
  | JobEnqueued
  | JobStarted
  | JobCompleted
  | JobFailed
  | JobRetried
  | JobReleased
  | LeaseExpired
  | JobCancelRequested
  | JobCancelled
  | JobDeadLettered
  | DeadLetterReplayed
  | DeadLetterPurged
  | JobAmended
  | JobVoided;
