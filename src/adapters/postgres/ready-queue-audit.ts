import type pg from 'pg';
import type { LeaseAudit } from '../../commands/lease-audit.ts';

export function postgresLeaseAudit(pool: pg.Pool): LeaseAudit {
  return {
    async withoutLease(limit) {
      const { rows } = await pool.query<AttemptRow>(WITHOUT_LEASE, [limit]);
      return rows.map((row) => ({
        tenantId: row.tenant_id,
        jobId: row.job_id,
        startRevision: row.start_revision ?? -1,
      }));
    },

    async withoutAttempt(expiringAfter, limit) {
      const { rows } = await pool.query<LeaseRow>(WITHOUT_ATTEMPT, [expiringAfter, limit]);
      return rows.map((row) => ({
        tenantId: row.tenant_id,
        jobId: row.job_id,
        leaseId: row.lease_id,
        expiresAt: Number(row.expires_at),
        settled: row.settled,
      }));
    },

    async recount(now, limit) {
      const { rows } = await pool.query<CountRow>(WRONG, [limit]);
      for (const { tenant_id, queue } of rows) await pool.query(REPAIR, [now, tenant_id, queue]);
      return rows.length;
    },
  };
}

interface AttemptRow {
  readonly tenant_id: string;
  readonly job_id: string;
  readonly start_revision: number | null;
}

interface LeaseRow {
  readonly tenant_id: string;
  readonly job_id: string;
  readonly lease_id: string;
  readonly expires_at: string;
  readonly settled: boolean;
}

interface CountRow {
  readonly tenant_id: string;
  /** Empty: the tenant as a whole. */
  readonly queue: string;
}

/** Goes from type to type by the index of places, so that it reads the jobs that run and no others. */
const WITHOUT_LEASE = `
select j.tenant_id, j.job_id::text as job_id, j.start_revision
from queue_counts as q
cross join lateral (
  with recursive types as (
    select (
      select n.type
      from jobs as n
      where n.tenant_id = q.tenant_id and n.queue = q.queue
      order by n.type
      limit 1
    ) as type
    union all
    select (
      select n.type
      from jobs as n
      where n.tenant_id = q.tenant_id and n.queue = q.queue and n.type > t.type
      order by n.type
      limit 1
    )
    from types as t
    where t.type is not null
  )
  select type from types where type is not null
) as t
join jobs as j
  on j.tenant_id = q.tenant_id and j.queue = q.queue and j.type = t.type and j.status = 'running'
where q.running > 0
  and not exists (
    select from leases as l
    where l.tenant_id = j.tenant_id and l.job_id = j.job_id::text
  )
limit $1`;

/** Job ids that are no UUIDs can't be in the read model. */
const WITHOUT_ATTEMPT = `
select l.tenant_id, l.job_id, l.lease_id, l.expires_at, l.settled
from leases as l
where l.expires_at > $1
  and not exists (
    select from jobs as j
    where j.tenant_id = l.tenant_id
      and j.job_id = case when l.job_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then l.job_id::uuid end
      and j.status = 'running'
  )
limit $2`;

const WRONG = `
select tenant_id, queue
from wrong_slot_counts($1)`;

const REPAIR = `
select repair_slot_count($1, $2, $3)`;
