import type pg from 'pg';
import type { AskedOfTenant, RateBuckets } from '../../commands/rate-buckets.ts';
import { SET_BACK_MS, type Taken } from '../../domain/tenant-quota/rate-bucket.ts';
import { Batcher } from './batcher.ts';

const MAX_BATCH = 200;
const MAX_AT_ONCE = 2;
/** One for each tenant; then callers are turned away: LogOverloadedError. */
const MAX_WAITING = 10_000;

/** Rate buckets in Postgres, by the database's clock. Tenants that ask at the same time share a statement. */
export function createRateBuckets(pool: pg.Pool): RateBuckets {
  const batcher = new Batcher<AskedOfTenant, Taken>({
    maxBatch: MAX_BATCH,
    maxAtOnce: MAX_AT_ONCE,
    maxWaiting: MAX_WAITING,
    // A statement can't touch a row twice.
    keyOf: ({ tenantId }) => tenantId,
    run: (asked) => takeAll(pool, asked),
  });
  return { take: (asked) => batcher.add(asked) };
}

async function takeAll(pool: pg.Pool, asked: readonly AskedOfTenant[]): Promise<readonly Taken[]> {
  const taken = await take(pool, asked);
  const missing = asked.filter(({ tenantId }) => !taken.has(tenantId));
  if (missing.length > 0) {
    await pool.query(CREATE, [missing.map(({ tenantId }) => tenantId)]);
    for (const [tenantId, some] of await take(pool, missing)) taken.set(tenantId, some);
  }
  return asked.map(({ tenantId }) => {
    const some = taken.get(tenantId);
    if (!some) throw new Error(`no rate bucket for ${tenantId}`);
    return some;
  });
}

async function take(pool: pg.Pool, asked: readonly AskedOfTenant[]): Promise<Map<string, Taken>> {
  const { rows } = await pool.query<{ tenant_id: string; granted: number; first_due_in_ms: number }>({
    name: 'rate_buckets_take',
    text: TAKE,
    values: [
      asked.map(({ tenantId }) => tenantId),
      asked.map(({ perSecond }) => perSecond),
      asked.map(({ burst }) => burst),
      asked.map(({ wanted }) => wanted),
      asked.map(({ aheadMs }) => aheadMs),
      asked.map(({ whole }) => whole),
    ],
  });
  return new Map(
    rows.map((row) => [row.tenant_id, { granted: row.granted, firstDueInMs: row.first_due_in_ms }]),
  );
}

const CREATE = `
insert into eventzr.rate_buckets (tenant_id, drained_at)
select tenant_id, extract(epoch from clock_timestamp()) * 1000
from unnest($1::text[]) as missing (tenant_id)
order by tenant_id
on conflict do nothing`;

// The same arithmetic as takeFrom. Rows are locked in one order, and only then is it looked at what is in them.
const TAKE = `
with locked as materialized (
  select tenant_id, level, drained_at
  from eventzr.rate_buckets
  where tenant_id = any ($1::text[])
  order by tenant_id
  for update
),
drained as materialized (
  select
    tenant_id,
    per_second,
    burst,
    wanted,
    ahead_ms,
    whole,
    case
      when locked.drained_at > clock.now + ${SET_BACK_MS} then clock.now
      else greatest(locked.drained_at, clock.now)
    end as drained_at,
    greatest(
      0,
      least(level, burst + per_second * ahead_ms / 1000)
        - per_second * greatest(0, clock.now - locked.drained_at) / 1000
    ) as level
  from unnest($1::text[], $2::float8[], $3::float8[], $4::float8[], $5::float8[], $6::bool[])
    as asked (tenant_id, per_second, burst, wanted, ahead_ms, whole)
  join locked using (tenant_id)
  cross join lateral (
    select (extract(epoch from clock_timestamp()) * 1000)::float8 as now
    where locked.level is not null
  ) as clock
),
fitting as (
  select *, greatest(0, least(wanted, floor(burst + per_second * ahead_ms / 1000 - level + 0.001))) as fits
  from drained
),
granting as (
  select *, case when whole and fits < wanted then 0 else fits end as granted
  from fitting
)
update eventzr.rate_buckets as bucket
set
  level = granting.level + granting.granted,
  drained_at = granting.drained_at
from granting
where bucket.tenant_id = granting.tenant_id
returning
  bucket.tenant_id,
  granting.granted,
  (granting.level + 1 - granting.burst) * 1000 / granting.per_second as first_due_in_ms`;
