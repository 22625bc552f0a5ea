import type { JsonText } from '../json-text.ts';
import type { JobError } from './events.ts';
import type { RetryPolicy } from './retry-policy.ts';

export type JobStatus =
  | 'scheduled'
  | 'queued'
  | 'running'
  | 'retrying'
  | 'completed'
  | 'cancelled'
  | 'dead_lettered'
  | 'purged';

/** A worker's right to the current attempt. */
export interface Lease {
  readonly workerId: string;
  readonly leaseId: string;
  readonly leaseMs: number;
  readonly startedAt: number;
}

export type LeaseEnd =
  | 'completed'
  | 'failed'
  | 'released'
  | 'cancelled'
  | 'expired'
  /** Ended by the service while the worker was at it. */
  | 'timeout'
  | 'deadline';

/** No event yet, or fenced off for ever by JobVoided. */
export type NoJob = { readonly status: 'none' } | { readonly status: 'voided' };

export interface ExistingJob {
  readonly status: JobStatus;
  readonly type: string;
  readonly queue: string;
  readonly priority: number;
  readonly payload: JsonText;
  readonly tags: readonly string[];
  readonly maxAttempts: number;
  readonly retry: RetryPolicy;
  readonly timeoutMs?: number | undefined;
  readonly deadlineAt?: number | undefined;
  readonly dedupeKey?: string | undefined;
  /** When the job may start; for finished jobs, when it last might. */
  readonly runAt: number;
  readonly enqueuedAt: number;
  readonly finishedAt?: number | undefined;
  /** Attempts that count against maxAttempts: failed or expired, never released ones. */
  readonly spentAttempts: number;
  /** The current attempt while running, else the one that comes next or came last. Counts from 1. */
  readonly attempt: number;
  /** Present exactly while running. */
  readonly lease?: Lease | undefined;
  /** The lease that ended last, and how: what a worker repeats about it is recognised by it. */
  readonly lastLease?: { readonly leaseId: string; readonly ended: LeaseEnd } | undefined;
  /** Present while running and asked to stop. */
  readonly cancelRequest?: { readonly reason?: string | undefined; readonly forceAt: number } | undefined;
  readonly lastError?: JobError | undefined;
  readonly result?: JsonText | undefined;
  /** Why it was cancelled, dead-lettered or purged. */
  readonly reason?: string | undefined;
}

export type Job = NoJob | ExistingJob;
