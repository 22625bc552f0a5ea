import type pg from 'pg';
import { jobStream } from '../../src/domain/job/stream.ts';
import { createParts, type PartsOptions } from '../../src/parts.ts';
import { differenceCount } from '../../src/projections/compare-tables.ts';
import { verify } from '../../src/projections/verify.ts';
import { countInEventStoreDb, countInPostgres, type JobEventCounts } from './count-job-events.ts';
import { logOf } from './log-in-use.ts';
import { waitUntil } from './wait-until.ts';

/** What the log says of one tenant's jobs. */
export interface LogAudit {
  /** Jobs that were accepted and are not in the log. */
  readonly missing: readonly string[];
  /** Jobs in the log that nobody was told of. */
  readonly unaccounted: readonly string[];
  /** Jobs that did not complete exactly once. */
  readonly notCompletedOnce: readonly string[];
}

/** Holds what callers were told against what the log has. */
export async function auditLog(pool: pg.Pool, tenant: string, accepted: Iterable<string>): Promise<LogAudit> {
  const { rows } = await pool.query<{ name: string }>('select current_database() as name');
  const { eventStoreDb } = logOf(`postgres://localhost/${rows[0]?.name}`);
  return audit(
    eventStoreDb ? await countInEventStoreDb(eventStoreDb, tenant) : await countInPostgres(pool, tenant),
    tenant,
    accepted,
  );
}

export function audit(
  counts: readonly JobEventCounts[],
  tenant: string,
  accepted: Iterable<string>,
): LogAudit {
  const told = new Set([...accepted].map((id) => jobStream(tenant, id)));
  const written = new Set(counts.map(({ stream }) => stream));
  return {
    missing: [...told].filter((stream) => !written.has(stream)),
    unaccounted: [...written].filter((stream) => !told.has(stream)),
    notCompletedOnce: counts
      .filter(({ enqueued, completed }) => enqueued !== 1 || completed !== 1)
      .map(({ stream, enqueued, completed }) => `${stream}: ${enqueued} enqueued, ${completed} completed`),
  };
}

export const ALL_RIGHT: LogAudit = { missing: [], unaccounted: [], notCompletedOnce: [] };

/** Waits until no job is left to do, and every table of the dispatch is empty. */
export async function allDone(pool: pg.Pool, { timeoutMs = 120_000 } = {}): Promise<void> {
  let last = '';
  try {
    await waitUntil(
      'everything is done',
      async () => {
        const { rows } = await pool
          .query<{ left_over: string | null }>(LEFT_OVER)
          .catch(() => ({ rows: [] }));
        last = rows[0] ? (rows[0].left_over ?? '') : 'no answer';
        return last === '';
      },
      { timeoutMs, everyMs: 100 },
    );
  } catch (error) {
    throw new Error(`left over: ${last}`, { cause: error });
  }
}

/** Folds the log and compares every row of every read model. Answers the differing ones; waits for none. */
export async function verifyAll(
  databaseUrl: string,
  where: Pick<PartsOptions, 'eventStoreDb'> = logOf(databaseUrl),
): Promise<Readonly<Record<string, unknown>>> {
  const parts = await createParts({ databaseUrl, ...where });
  const { projectionEnvironment: environment, projections } = parts;
  const found: Record<string, unknown> = {};
  try {
    for (const projection of projections) {
      if (projection.repair) continue;
      const { signal } = new AbortController();
      const { tables } = await verify({ environment, projection, signal });
      const wrong = tables.filter((table) => differenceCount([table]) > 0);
      if (wrong.length > 0) found[projection.name] = wrong;
    }
  } finally {
    await parts.close();
  }
  return found;
}

/** The maintained counts of every queue, and the same counted from the jobs, at one moment. */
export async function queueCounts(
  pool: pg.Pool,
): Promise<{ readonly maintained: unknown; readonly counted: unknown }> {
  const { rows } = await pool.query<{ maintained: unknown; counted: unknown }>(QUEUE_COUNTS);
  const [row] = rows;
  if (!row) throw new Error('no counts');
  return row;
}

const LEFT_OVER = `
select string_agg(amount || ' ' || place, ', ') as left_over
from (
  select 'ready' as place, count(*) as amount from eventzr.ready_jobs
  union all
  select 'leased', count(*) from eventzr.leases
  union all
  select 'timers', count(*) from eventzr.timers
  union all
  select status, count(*) from eventzr.jobs
  where status in ('scheduled', 'queued', 'running', 'retrying')
  group by status
) as places
where amount > 0`;

const MAINTAINED = `
select tenant_id, queue, status, jobs::int
from eventzr.queue_counts as c
cross join lateral (values
  ('scheduled', c.scheduled), ('queued', c.queued), ('running', c.running), ('retrying', c.retrying),
  ('completed', c.completed), ('cancelled', c.cancelled), ('dead_lettered', c.dead_lettered), ('purged', c.purged)
) as counts (status, jobs)
where jobs <> 0
order by tenant_id, queue, status`;

const COUNTED = `
select tenant_id, queue, status, count(*)::int as jobs
from eventzr.jobs
group by tenant_id, queue, status
order by tenant_id, queue, status`;

const QUEUE_COUNTS = `
select
  (select coalesce(json_agg(m), '[]') from (${MAINTAINED}) as m) as maintained,
  (select coalesce(json_agg(c), '[]') from (${COUNTED}) as c) as counted`;
