import type { AttemptRow } from '../../../projections/queries.ts';
import { timeOrNull } from './job-row.ts';
import { type QueryContext, read } from './read.ts';

interface StoredAttempt {
  readonly start_revision: number;
  readonly attempt: number;
  readonly started_at: string;
  readonly ended_at: string | null;
  readonly outcome: AttemptRow['outcome'];
  readonly worker_id: string;
  readonly error: string | null;
}

/** Oldest first, at most the latest 1,000: as many attempts as a job may have. */
export async function listAttempts(
  { pool }: QueryContext,
  tenantId: string,
  jobId: string,
): Promise<readonly AttemptRow[]> {
  const rows = await read<StoredAttempt>(pool, LIST_ATTEMPTS, [tenantId, jobId]);
  return rows.toReversed().map((row) => ({
    tenantId,
    jobId,
    startRevision: row.start_revision,
    attempt: row.attempt,
    workerId: row.worker_id,
    startedAt: Number(row.started_at),
    endedAt: timeOrNull(row.ended_at),
    outcome: row.outcome,
    error: errorOf(row.error),
  }));
}

function errorOf(json: string | null): AttemptRow['error'] {
  if (json === null) return null;
  const error = JSON.parse(json) as { type: string; message: string; stack?: string; fingerprint: string };
  return {
    type: error.type,
    message: error.message,
    stack: error.stack ?? null,
    fingerprint: error.fingerprint,
  };
}

/** The attempt that runs or completed stands in the job's row, the others in rows of their own. */
const LIST_ATTEMPTS = `
select start_revision, attempt, started_at, ended_at, outcome, worker_id, error
from job_attempts
where tenant_id = $1
  and job_id = $2
union all
select start_revision, attempt, started_at, finished_at, status, worker_id, null
from jobs
where tenant_id = $1
  and job_id = $2
  and status in ('running', 'completed')
order by start_revision desc
limit 1000`;
