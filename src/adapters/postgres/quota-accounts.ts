import type pg from 'pg';
import type {
  AccountWithSlots,
  OverdueSlot,
  QuotaAccount,
  QuotaAccounts,
  ReservedSlot,
} from '../../commands/quota-accounts.ts';
import type { TenantQuota } from '../../domain/tenant-quota/state.ts';

/** The accounts as the tables of the quota-usage projection show them. */
export function createQuotaAccounts(pool: pg.Pool): QuotaAccounts {
  return {
    async unsettled(afterTenant, limit) {
      const { rows } = await pool.query<StoredAccount>({
        name: 'quota_unsettled',
        text: UNSETTLED,
        values: [afterTenant, limit],
      });
      return rows.map(toAccount);
    },
    async overdue(before, limit) {
      const { rows } = await pool.query<StoredSlot>({
        name: 'quota_overdue',
        text: OVERDUE,
        values: [before, limit],
      });
      return rows.map((row): OverdueSlot => ({ ...toSlot(row), position: row.position, at: Number(row.at) }));
    },
    waiting: (slots) => findWaiting(pool, slots),
    async withOlderDay(today, limit) {
      const { rows } = await pool.query<{ tenant_id: string }>(OLDER_DAY, [today, limit]);
      return rows.map(({ tenant_id }) => tenant_id);
    },
  };
}

interface StoredAccount {
  readonly tenant_id: string;
  readonly position: string;
  readonly updated_at: string;
  readonly released: string;
  readonly adopted: string;
  readonly revived: string;
  readonly revision: number;
  readonly quota: string;
}

const toAccount = (row: StoredAccount): QuotaAccount => ({
  tenantId: row.tenant_id,
  position: row.position,
  updatedAt: Number(row.updated_at),
  quota: JSON.parse(row.quota) as TenantQuota,
  revision: row.revision,
  released: Number(row.released),
  adopted: Number(row.adopted),
  revived: Number(row.revived),
});

interface StoredSlot {
  readonly tenant_id: string;
  readonly job_id: string;
  readonly reservation_id: string;
  readonly position: string;
  readonly at: string;
}

const toSlot = (row: Omit<StoredSlot, 'position' | 'at'>): ReservedSlot => ({
  tenantId: row.tenant_id,
  jobId: row.job_id,
  reservationId: row.reservation_id,
});

type WaitingRow = StoredAccount & { readonly job_id: string; readonly reservation_id: string };

/** One statement, so one snapshot: account and slots belong together. */
async function findWaiting(
  pool: pg.Pool,
  slots: readonly ReservedSlot[],
): Promise<readonly AccountWithSlots[]> {
  const { rows } = await pool.query<WaitingRow>(WAITING, [
    slots.map(({ tenantId }) => tenantId),
    slots.map(({ jobId }) => jobId),
    slots.map(({ reservationId }) => reservationId),
  ]);
  return [...Map.groupBy(rows, ({ tenant_id }) => tenant_id).values()].flatMap((found) => {
    const [first] = found;
    return first ? [{ account: toAccount(first), waiting: found.map(toSlot) }] : [];
  });
}

const ACCOUNT =
  'u.tenant_id, u.position, u.updated_at, u.released, u.adopted, u.revived, u.revision, u.quota';

/** The first settlement has to come early: what is adopted before it does not count for the day. */
const UNSETTLED = `
select ${ACCOUNT}
from quota_usage as u
where u.limited
  and u.tenant_id > $1
  and (u.released <> 0 or u.adopted <> 0 or u.revived <> 0 or u.settled_through = 0)
order by u.tenant_id
limit $2`;

/** Staged jobs are certain to be created, however long the relay takes. */
const OVERDUE = `
select p.tenant_id, p.job_id, p.reservation_id, p.position, p.at
from quota_pending as p
where p.at <= $1
  and not exists (
    select
    from staged_jobs as s
    where s.job_id::text = p.job_id
      and s.tenant_id = p.tenant_id
  )
order by p.at
limit $2`;

const WAITING = `
select ${ACCOUNT}, p.job_id, p.reservation_id
from unnest($1::text[], $2::text[], $3::text[]) as s (tenant_id, job_id, reservation_id)
join quota_pending as p using (tenant_id, job_id, reservation_id)
join quota_usage as u using (tenant_id)
where u.limited`;

const OLDER_DAY = `
select tenant_id
from quota_usage
where limited
  and quota_day < $1
  and (used_today > 0 or used_ahead > 0)
order by tenant_id
limit $2`;
