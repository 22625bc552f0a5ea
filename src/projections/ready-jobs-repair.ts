import type { PoolClient } from 'pg';
import { LOG_START, type Position } from '../commands/ports.ts';
import type { TenantQuota } from '../domain/tenant-quota/state.ts';
import { setTenant } from './dispatch-settings.ts';
import { placeJobs } from './place-jobs.ts';

/** A lease that stands for a running attempt until its stream was read. */
const UNREAD_LEASE_MS = 10_000;

/**
 * Starts empty tables from the read models of jobs, queues and quotas: every unfinished job is placed by its stream, one
 * after the other, by the timers task. Those that run count against limits from now on. What happened after the position
 * of these read models follows from the log; placements and settings carry revisions, so the two may overlap. Without
 * them: from the first event.
 */
export async function seedReadyJobs(client: PoolClient, now: number): Promise<Position> {
  const { rows } = await client.query<{ position: string | null }>(POSITION);
  const position = BigInt(rows[0]?.position ?? LOG_START);
  if (position === LOG_START) return position;
  // Whoever changes settings meanwhile takes it before their rows.
  await client.query(PLACING_LOCK);
  // Read after the position, so they hold at least what happened up to there.
  await client.query(SET_QUEUES);
  await setTenants(client, now);
  await leaseRunning(client, now);
  await client.query(PLACE_UNFINISHED, [now]);
  return position;
}

async function setTenants(client: PoolClient, now: number): Promise<void> {
  const { rows: found } = await client.query<{ present: boolean }>(HAS_QUOTAS);
  if (!found[0]?.present) return;
  const { rows } = await client.query<QuotaRow>(QUOTAS);
  for (const { tenantId, revision, quota } of rows) {
    const state: TenantQuota = JSON.parse(quota);
    await setTenant(client, { tenantId, revision, state }, now);
  }
}

async function leaseRunning(client: PoolClient, now: number): Promise<void> {
  const { rows } = await client.query<RunningRow>(RUNNING);
  const lease = { leaseId: 'unread', expiresAt: now + UNREAD_LEASE_MS, settled: false };
  await placeJobs(
    client,
    rows.map((row) => ({ ...row, ...lease, kind: 'running' })),
    now,
  );
}

interface QuotaRow {
  readonly tenantId: string;
  readonly revision: number;
  readonly quota: string;
}

interface RunningRow {
  readonly tenantId: string;
  readonly jobId: string;
  readonly revision: number;
  readonly queue: string;
  readonly workerId: string;
}

/** Places every job anew that is unfinished or has rows, by its stream. */
export async function repairReadyJobs(client: PoolClient, now: number): Promise<void> {
  await client.query(PLACE_UNFINISHED, [now]);
  await client.query(PLACE_PRESENT, [now]);
}

const POSITION = `
select min(c.position) as position
from projection_generations as g
join projection_checkpoints as c using (projection, generation)
where g.projection in ('jobs', 'queue-stats', 'quota-usage')
  and g.status = 'live'
having count(*) filter (where g.projection <> 'quota-usage') = 2`;

const PLACING_LOCK = `
select pg_advisory_xact_lock(7310586, 1)`;

const HAS_QUOTAS = `
select to_regclass('quota_usage') is not null as present`;

const QUOTAS = `
select tenant_id as "tenantId", revision, quota
from quota_usage
where limited`;

const RUNNING = `
select tenant_id as "tenantId", job_id::text as "jobId", revision, queue, coalesce(worker_id, '-') as "workerId"
from jobs
where status = 'running'`;

// The settings themselves survive a crash, but not whatever dispatch had not heard of yet, or had not flushed.
const SET_QUEUES = `
insert into queue_settings as s (tenant_id, queue, revision, paused, paused_until, concurrency_limit)
select tenant_id, queue, revision, paused_since is not null, paused_until, concurrency_limit
from queue_controls
on conflict (tenant_id, queue) do update
set
  revision = excluded.revision,
  paused = excluded.paused,
  paused_until = excluded.paused_until,
  concurrency_limit = excluded.concurrency_limit
where s.revision < excluded.revision`;

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
