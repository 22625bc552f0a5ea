import type pg from 'pg';

/**
 * `completed` jobs, three events each, in the order in which a steady service would have written them. Nothing may read
 * the log meanwhile: these rows do not wait for their turn as appends do.
 */
export const writeHistory = (pool: pg.Pool, completed: number): Promise<void> =>
  inSteps(pool, HISTORY, completed);

/** Jobs of the tenant `idle` that nobody claims. */
export const writeWaiting = (pool: pg.Pool, waiting: number): Promise<void> =>
  inSteps(pool, WAITING, waiting);

const STEP = 10_000;
/** One for each core that PostgreSQL may have. */
const AT_ONCE = 2;

async function inSteps(pool: pg.Pool, insert: string, count: number): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) {
        const from = next;
        next += STEP;
        await pool.query(insert, [from, Math.min(from + STEP, count) - 1]);
      }
    }),
  );
}

const metadata = (tenant: string) =>
  `'${JSON.stringify({
    tenantId: tenant,
    actor: { id: 'engine', auth: 'in_process' },
    correlationId: '0199c6f0-7a3b-7cde-8f01-23456789abcd',
    causationId: '0199c6f0-7a3b-7cde-8f01-23456789abce',
    occurredAt: 1_763_700_000_000,
  })}'`;
const identity = { type: 'bench', queue: 'default', priority: 5 };
const retry = { kind: 'exponential', baseMs: 1000, factor: 2, maxMs: 3_600_000 };
const enqueued = `'${JSON.stringify({ ...identity, maxAttempts: 3, retry, tags: [] })}'`;
const leaseId = 'AAAAAAAAAAAAAAAAAAAAAA';
const started = `'${JSON.stringify({ ...identity, attempt: 1, workerId: 'worker', leaseId, leaseMs: 30000 })}'`;
const completed = `'${JSON.stringify({ ...identity, attempt: 1 })}'`;
const payload = `'{"n":' || n || ',"to":"user@example.com","template":"welcome"}'`;
/** UUIDv7s of long ago. */
const jobId = `'01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0')`;

const insert = (tenant: string, events: string) => `
insert into events (position, recorded_at, revision, schema_version, stream, type, data, metadata, content)
select
  nextval('events_position'), 1763700000000, e.revision, 1, 'job-${tenant}.' || ${jobId},
  e.type, e.data, ${metadata(tenant)}, case when e.revision = 0 then ${payload} end
from generate_series($1::bigint, $2::bigint) as n
cross join (values ${events}) as e (revision, type, data)`;

const HISTORY = insert(
  'bench',
  `(0, 'JobEnqueued', ${enqueued}), (1, 'JobStarted', ${started}), (2, 'JobCompleted', ${completed})`,
);
const WAITING = insert('idle', `(0, 'JobEnqueued', ${enqueued.replace('"bench"', '"idle"')})`);
