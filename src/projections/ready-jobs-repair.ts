import type { PoolClient } from 'pg';
import { LOG_START, type Position } from '../commands/ports.ts';

/**
 * Starts empty tables from the jobs read model: every unfinished job is placed by its stream, one after the other, by
 * the timers task. What happened after the position follows from the log; placements carry revisions, so the two may
 * overlap. Without that read model: from the first event.
 */
export async function seedReadyJobs(client: PoolClient, now: number): Promise<Position> {
  const { rows } = await client.query<{ position: string | null }>(JOBS_POSITION);
  const position = BigInt(rows[0]?.position ?? LOG_START);
  // Read after the position, so it holds at least what happened up to there.
  if (position > LOG_START) await client.query(PLACE_UNFINISHED, [now]);
  return position;
}

/** Places every job anew that is unfinished or has rows, by its stream. */
export async function repairReadyJobs(client: PoolClient, now: number): Promise<void> {
  await client.query(PLACE_UNFINISHED, [now]);
  await client.query(PLACE_PRESENT, [now]);
}

const JOBS_POSITION = `
select c.position
from projection_generations as g
join projection_checkpoints as c using (projection, generation)
where g.projection = 'jobs'
  and g.status = 'live'`;

const PLACE_UNFINISHED = `
insert into timers (tenant_id, job_id, kind, due_at, revision)
select tenant_id, job_id, 'reconcile', $1, revision
from jobs
where status in ('scheduled', 'queued', 'running', 'retrying')
on conflict do nothing`;

const PLACE_PRESENT = `
insert into timers (tenant_id, job_id, kind, due_at, revision)
select tenant_id, job_id, 'reconcile', $1, max(revision)
from (
  select tenant_id, job_id, revision from ready_jobs
  union all
  select tenant_id, job_id, revision from leases
  union all
  select tenant_id, job_id, revision from timers
) as present
group by tenant_id, job_id
on conflict do nothing`;
