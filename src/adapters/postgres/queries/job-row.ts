import type { JobStatus } from '../../../domain/job/state.ts';
import { statusAt } from '../../../domain/job/status-at.ts';
import type { JobRow } from '../../../projections/queries.ts';

export const JOB_COLUMNS = `
  tenant_id, job_id, revision, type, queue, priority, status, attempt, spent_attempts, max_attempts, tags, dedupe_key,
  worker_id, enqueued_at, run_at, started_at, finished_at, updated_at, last_error, error_fingerprint`;

export interface StoredJobRow {
  readonly tenant_id: string;
  readonly job_id: string;
  readonly revision: number;
  readonly type: string;
  readonly queue: string;
  readonly priority: number;
  readonly status: JobStatus;
  readonly attempt: number;
  readonly spent_attempts: number;
  readonly max_attempts: number;
  readonly tags: readonly string[] | null;
  readonly dedupe_key: string | null;
  readonly worker_id: string | null;
  readonly enqueued_at: string;
  readonly run_at: string;
  readonly started_at: string | null;
  readonly finished_at: string | null;
  readonly updated_at: string;
  readonly last_error: string | null;
  readonly error_fingerprint: string | null;
}

/** The row as people see it at a given time. */
export function toJobRow(row: StoredJobRow, now: number): JobRow {
  const runAt = Number(row.run_at);
  return {
    tenantId: row.tenant_id,
    jobId: row.job_id,
    revision: row.revision,
    type: row.type,
    queue: row.queue,
    priority: row.priority,
    status: statusAt({ status: row.status, runAt }, now),
    attempt: row.attempt,
    spentAttempts: row.spent_attempts,
    maxAttempts: row.max_attempts,
    tags: row.tags ?? [],
    dedupeKey: row.dedupe_key,
    workerId: row.worker_id,
    enqueuedAt: Number(row.enqueued_at),
    runAt,
    startedAt: timeOrNull(row.started_at),
    finishedAt: timeOrNull(row.finished_at),
    updatedAt: Number(row.updated_at),
    lastError: errorOf(row),
  };
}

export const timeOrNull = (time: string | null): number | null => (time === null ? null : Number(time));

function errorOf({ last_error, error_fingerprint }: StoredJobRow): JobRow['lastError'] {
  if (last_error === null) return null;
  const { type, message } = JSON.parse(last_error) as { type: string; message: string };
  return { type, message, fingerprint: error_fingerprint ?? '' };
}
