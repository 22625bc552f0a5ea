import type { JobStatus } from '../domain/job/state.ts';
import type { AuditQueries } from './audit-queries.ts';
import type { QuotaQueries } from './quota-queries.ts';

/** A page of a list, newest first unless said otherwise. Cursors are opaque texts. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly nextCursor: string | null;
  readonly prevCursor: string | null;
}

export interface PageRequest {
  /** 1..200 */
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** A row of the jobs read model. Times are milliseconds since 1970. */
export interface JobRow {
  readonly tenantId: string;
  readonly jobId: string;
  readonly revision: number;
  readonly type: string;
  readonly queue: string;
  readonly priority: number;
  readonly status: JobStatus;
  readonly attempt: number;
  readonly spentAttempts: number;
  readonly maxAttempts: number;
  readonly tags: readonly string[];
  readonly dedupeKey: string | null;
  readonly workerId: string | null;
  readonly enqueuedAt: number;
  readonly runAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly updatedAt: number;
  readonly lastError: {
    readonly type: string;
    readonly message: string;
    readonly fingerprint: string;
  } | null;
}

export interface JobFilter {
  readonly status?: readonly JobStatus[] | undefined;
  readonly type?: string | undefined;
  readonly queue?: string | undefined;
  readonly tag?: string | undefined;
  readonly workerId?: string | undefined;
  /** Error fingerprint. */
  readonly error?: string | undefined;
  readonly createdAfter?: number | undefined;
  readonly createdBefore?: number | undefined;
}

export interface AttemptRow {
  readonly tenantId: string;
  readonly jobId: string;
  /** Revision of its JobStarted; tells apart an attempt that was released and taken up again. */
  readonly startRevision: number;
  readonly attempt: number;
  readonly workerId: string;
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly outcome:
    | 'running'
    | 'completed'
    | 'failed'
    | 'released'
    | 'lease_expired'
    | 'cancelled'
    | 'dead_lettered';
  readonly error: {
    readonly type: string;
    readonly message: string;
    readonly stack: string | null;
    readonly fingerprint: string;
  } | null;
}

export interface DeadLetterRow {
  readonly tenantId: string;
  readonly jobId: string;
  readonly revision: number;
  readonly type: string;
  readonly queue: string;
  readonly reason: string;
  readonly attempts: number;
  readonly error: { readonly type: string; readonly message: string; readonly fingerprint: string };
  readonly enqueuedAt: number;
  readonly deadLetteredAt: number;
}

export interface DeadLetterGroup {
  readonly fingerprint: string;
  readonly errorType: string;
  /** Message of the latest one. */
  readonly message: string;
  readonly jobType: string;
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
}

export interface DeadLetterFilter {
  readonly type?: string | undefined;
  readonly queue?: string | undefined;
  readonly fingerprint?: string | undefined;
}

export interface QueueRow {
  readonly tenantId: string;
  readonly queue: string;
  /** Maintained counts; `scheduled` and `retrying` include jobs whose time has come and which wait for a worker. */
  readonly counts: Readonly<Record<JobStatus, number>>;
  readonly paused: {
    readonly since: number;
    readonly until: number | null;
    readonly reason: string | null;
    readonly by: string;
  } | null;
  readonly concurrencyLimit: number | null;
  /** Age of the oldest job that may run now, in milliseconds; null when none waits. */
  readonly oldestReadyAgeMs: number | null;
}

export interface StatsBucket {
  /** Start of the bucket. */
  readonly at: number;
  readonly enqueued: number;
  readonly started: number;
  readonly completed: number;
  readonly failed: number;
  readonly deadLettered: number;
  readonly cancelled: number;
}

export class InvalidCursorError extends Error {
  readonly code = 'invalid_cursor';
  constructor() {
    super('the cursor is not one that this list gave out; start again without it');
  }
}

/** What can be asked of the read models. Every query is bound to one tenant, has a limit and a statement timeout. */
export interface Queries extends QuotaQueries, AuditQueries {
  listJobs(tenantId: string, filter: JobFilter, page: PageRequest): Promise<Page<JobRow>>;
  listAttempts(tenantId: string, jobId: string): Promise<readonly AttemptRow[]>;
  listDeadLetters(
    tenantId: string,
    filter: DeadLetterFilter,
    page: PageRequest,
  ): Promise<Page<DeadLetterRow>>;
  getDeadLetter(tenantId: string, jobId: string): Promise<DeadLetterRow | undefined>;
  groupDeadLetters(
    tenantId: string,
    filter: DeadLetterFilter,
    limit: number,
  ): Promise<readonly DeadLetterGroup[]>;
  listQueues(tenantId: string): Promise<readonly QueueRow[]>;
  getQueue(tenantId: string, queue: string): Promise<QueueRow | undefined>;
  /** Buckets from `from` (inclusive) to `to` (exclusive), oldest first, gaps filled with zeros. */
  timeseries(
    tenantId: string,
    range: {
      readonly from: number;
      readonly to: number;
      readonly bucketMs: 60_000 | 3_600_000;
      readonly queue?: string | undefined;
    },
  ): Promise<readonly StatsBucket[]>;
}
