import type pg from 'pg';
import type {
  IdempotencyDecision,
  IdempotencyStore,
  IdempotentExecution,
  KeptResponse,
} from '../../commands/idempotency.ts';
import type { Ids } from '../../commands/ports.ts';
import { Batcher } from './batcher.ts';

export interface IdempotencySettings {
  readonly pool: pg.Pool;
  readonly ids: Ids;
  /** How long answers are kept. Default 24 h. */
  readonly keepMs?: number | undefined;
  /** How long an unfinished execution is left alone. Default one minute. */
  readonly takeOverMs?: number | undefined;
  /** The same for repeatable requests, where impatience does no harm. Default two seconds. */
  readonly takeOverRepeatableMs?: number | undefined;
}

const DAY_MS = 86_400_000;
const MAX_BATCH = 200;
/** Two statements at a time keep a pool of ten free for others. */
const MAX_AT_ONCE = 2;
/** Then callers are turned away: LogOverloadedError. */
const MAX_WAITING = 10_000;

/**
 * Idempotency keys in Postgres. Requests that arrive together share a statement and its flush to disk. The clock is the
 * database's.
 */
export function createIdempotencyStore(settings: IdempotencySettings): IdempotencyStore {
  const { pool, ids, keepMs = DAY_MS, takeOverMs = 60_000, takeOverRepeatableMs = 2_000 } = settings;
  const limits = { maxBatch: MAX_BATCH, maxAtOnce: MAX_AT_ONCE, maxWaiting: MAX_WAITING };
  const beginning = new Batcher<Asked, IdempotencyDecision>({
    ...limits,
    // A statement can't touch a row twice: the second of two equal requests waits for the next batch.
    keyOf: ({ tenantId, key }) => `${tenantId}.${key}`,
    run: (asked) => begin(pool, asked, keepMs),
  });
  const finishing = new Batcher<Ended, void>({
    ...limits,
    keyOf: ({ execution }) => `${execution.tenantId}.${execution.key}`,
    run: (ended) => finish(pool, ended),
  });
  return {
    begin: (tenantId, key, fingerprint, { repeatable = false } = {}) =>
      beginning.add({
        tenantId,
        key,
        fingerprint,
        seed: ids.next(),
        owner: ids.next(),
        takeOverMs: repeatable ? takeOverRepeatableMs : takeOverMs,
      }),
    finish: (execution, response) => finishing.add({ execution, response }),
    abandon: (execution) => finishing.add({ execution, response: undefined }),
  };
}

interface Asked {
  readonly tenantId: string;
  readonly key: string;
  readonly fingerprint: string;
  readonly seed: string;
  readonly owner: string;
  readonly takeOverMs: number;
}

interface Ended {
  readonly execution: IdempotentExecution;
  readonly response: KeptResponse | undefined;
}

async function begin(
  pool: pg.Pool,
  asked: readonly Asked[],
  keepMs: number,
): Promise<readonly IdempotencyDecision[]> {
  const tenants = asked.map(({ tenantId }) => tenantId);
  const keys = asked.map(({ key }) => key);
  const { rows: taken } = await pool.query<{ place: number; seed: string }>({
    name: 'idempotency_take',
    text: TAKE,
    values: [
      tenants,
      keys,
      asked.map(({ fingerprint }) => fingerprint),
      asked.map(({ seed }) => seed),
      asked.map(({ owner }) => owner),
      keepMs,
      asked.map(({ takeOverMs }) => takeOverMs),
    ],
  });
  const seeds = new Map(taken.map(({ place, seed }) => [Number(place), seed]));
  const others = asked.filter((_, index) => !seeds.has(index + 1));
  const found = others.length > 0 ? await look(pool, others) : new Map<string, KeptRow>();
  return asked.map(({ tenantId, key, fingerprint, owner }, index) => {
    const seed = seeds.get(index + 1);
    if (seed !== undefined) return { kind: 'execute', tenantId, key, owner, seed };
    const row = found.get(`${tenantId}.${key}`);
    // Swept away between the two statements.
    if (!row) return { kind: 'in_progress' };
    if (row.fingerprint !== fingerprint) return { kind: 'mismatch' };
    const { status, headers, body } = row;
    if (status === null || headers === null || body === null) return { kind: 'in_progress' };
    return { kind: 'replay', status, headers: JSON.parse(headers) as Record<string, string>, body };
  });
}

interface KeptRow {
  readonly tenant_id: string;
  readonly key: string;
  readonly fingerprint: string;
  readonly status: number | null;
  readonly headers: string | null;
  readonly body: string | null;
}

async function look(pool: pg.Pool, asked: readonly Asked[]): Promise<ReadonlyMap<string, KeptRow>> {
  const { rows } = await pool.query<KeptRow>({
    name: 'idempotency_look',
    text: LOOK,
    values: [asked.map(({ tenantId }) => tenantId), asked.map(({ key }) => key)],
  });
  return new Map(rows.map((row) => [`${row.tenant_id}.${row.key}`, row]));
}

async function finish(pool: pg.Pool, ended: readonly Ended[]): Promise<readonly undefined[]> {
  await pool.query({
    name: 'idempotency_finish',
    text: FINISH,
    values: [
      ended.map(({ execution }) => execution.tenantId),
      ended.map(({ execution }) => execution.key),
      ended.map(({ execution }) => execution.owner),
      ended.map(({ response }) => response?.status ?? null),
      ended.map(({ response }) => (response ? JSON.stringify(response.headers) : null)),
      ended.map(({ response }) => response?.body ?? null),
    ],
  });
  return ended.map(() => undefined);
}

// In the order of the key, so that two processes with the same keys wait for each other instead of deadlocking.
// An expired row starts over, with a new seed; one that was taken over keeps the seed.
const TAKE = `
with asked as materialized (
  select tenant_id, key, fingerprint, seed, owner, take_over_ms, place
  from unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $7::int[])
    with ordinality as a (tenant_id, key, fingerprint, seed, owner, take_over_ms, place)
), taken as (
  insert into eventzr.idempotency_keys as kept (tenant_id, key, fingerprint, seed, owner, take_over_at, expires_at)
  select
    tenant_id, key, fingerprint, seed, owner,
    clock_timestamp() + take_over_ms * interval '1 millisecond',
    clock_timestamp() + $6 * interval '1 millisecond'
  from asked
  order by tenant_id, key
  on conflict (tenant_id, key) do update
  set
    fingerprint = excluded.fingerprint,
    seed = case when kept.expires_at <= clock_timestamp() then excluded.seed else kept.seed end,
    owner = excluded.owner,
    take_over_at = excluded.take_over_at,
    expires_at = case when kept.expires_at <= clock_timestamp() then excluded.expires_at else kept.expires_at end,
    status = null,
    headers = null,
    body = null
  where kept.expires_at <= clock_timestamp()
    or (kept.status is null and kept.take_over_at <= clock_timestamp() and kept.fingerprint = excluded.fingerprint)
  returning tenant_id, key, seed
)
select asked.place, taken.seed
from taken
join asked using (tenant_id, key)`;

const LOOK = `
select kept.tenant_id, kept.key, kept.fingerprint, kept.status, kept.headers, kept.body
from unnest($1::text[], $2::text[]) as asked (tenant_id, key)
join eventzr.idempotency_keys as kept using (tenant_id, key)`;

// An answer that a crash forgets is given again by executing again, so nobody waits for the disk here. Only the latest
// owner may give the execution up; whoever finishes first has the answer.
const FINISH = `
with unhurried as materialized (
  select set_config('synchronous_commit', 'off', true)
), ended as materialized (
  select tenant_id, key, owner, status, headers, body
  from unhurried, unnest($1::text[], $2::text[], $3::uuid[], $4::smallint[], $5::text[], $6::text[])
    as e (tenant_id, key, owner, status, headers, body)
), locked as materialized (
  select kept.tenant_id, kept.key
  from eventzr.idempotency_keys as kept
  join ended using (tenant_id, key)
  order by kept.tenant_id, kept.key
  for update of kept
)
update eventzr.idempotency_keys as kept
set
  status = ended.status,
  headers = ended.headers,
  body = ended.body,
  take_over_at = case when ended.status is null then clock_timestamp() else kept.take_over_at end
from ended
join locked using (tenant_id, key)
where kept.tenant_id = ended.tenant_id
  and kept.key = ended.key
  and kept.status is null
  and (kept.owner = ended.owner or ended.status is not null)`;
