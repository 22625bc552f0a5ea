import { z } from 'zod';
import { isSuspended, type TenantQuota } from '../../../domain/tenant-quota/state.ts';
import type { Page, PageRequest } from '../../../projections/queries.ts';
import type { TenantFilter, TenantUsage } from '../../../projections/quota-queries.ts';
import { pageCursors, pageLimit } from './page-cursor.ts';
import { Parameters, type QueryContext, read } from './read.ts';

const DAY_MS = 86_400_000;

const cursors = pageCursors('tenants', z.string());

interface StoredUsage {
  readonly tenant_id: string;
  readonly position: string;
  readonly updated_at: string;
  readonly released: string;
  readonly adopted: string;
  readonly revived: string;
  readonly pending: string;
  readonly day: number;
  readonly enqueued: string;
  readonly revision: number | null;
  readonly quota: string | null;
  readonly running: string | null;
}

export async function usageOf(
  { pool, clock }: QueryContext,
  tenantId: string,
): Promise<TenantUsage | undefined> {
  const [row] = await read<StoredUsage>(pool, `${SELECT}\nwhere u.tenant_id = $1`, [tenantId]);
  return row && toUsage(row, clock.now());
}

/** By id: there is nothing that all tenants have and that would not move under the reader's hands. */
export async function listTenants(
  { pool, clock }: QueryContext,
  { plan, suspended }: TenantFilter,
  request: PageRequest,
): Promise<Page<TenantUsage>> {
  const from = cursors.read(request.cursor);
  const limit = pageLimit(request);
  const now = clock.now();
  const parameters = new Parameters();
  const where = ['true'];
  if (plan !== undefined) where.push(`u.plan = ${parameters.add(plan)}`);
  if (suspended !== undefined) {
    where.push(`${suspended ? '' : 'not '}coalesce(u.suspended_until > ${parameters.add(now)}, false)`);
  }
  if (from) where.push(`u.tenant_id ${from.towards === 'older' ? '>' : '<'} ${parameters.add(from.key)}`);
  const rows = await read<StoredUsage>(
    pool,
    `${SELECT}
where ${where.join('\n  and ')}
order by u.tenant_id ${from?.towards === 'newer' ? 'desc' : 'asc'}
limit ${parameters.add(limit + 1)}`,
    parameters.values,
  );
  return cursors.page(
    rows.map((row) => toUsage(row, now)),
    from,
    limit,
    ({ tenantId }) => tenantId,
  );
}

function toUsage(row: StoredUsage, now: number): TenantUsage {
  const quota = row.quota === null ? null : (JSON.parse(row.quota) as TenantQuota);
  const today = Math.floor(now / DAY_MS);
  const owed = Number(row.adopted) + Number(row.revived) - Number(row.released);
  return {
    tenantId: row.tenant_id,
    quota,
    revision: row.revision,
    unfinished: Math.max(0, (quota?.unfinished ?? 0) + owed),
    reserved: Number(row.pending),
    running: Number(row.running ?? 0),
    ...(quota
      ? usedOn(quota, today)
      : { usedToday: row.day < today ? 0 : Number(row.enqueued), usedAhead: 0 }),
    resetAt: (today + 1) * DAY_MS,
    suspended: quota !== null && isSuspended(quota, now),
    position: row.position,
    updatedAt: Number(row.updated_at),
  };
}

/** As the next reservation will find it: the day that has begun needs no event to count from what was put off to it. */
function usedOn({ day, usedToday, usedAhead }: TenantQuota, today: number) {
  if (day >= today) return { usedToday, usedAhead };
  return { usedToday: day === today - 1 ? usedAhead : 0, usedAhead: 0 };
}

const SELECT = `
select
  u.tenant_id, u.position, u.updated_at, u.released, u.adopted, u.revived, u.pending, u.day, u.enqueued, u.revision, u.quota,
  (select sum(c.running) from queue_counts as c where c.tenant_id = u.tenant_id) as running
from quota_usage as u`;
