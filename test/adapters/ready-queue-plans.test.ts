import pg from 'pg';
import { expect, it } from 'vitest';
import { SCHEMA } from '../../src/adapters/postgres/pool.ts';
import { postgresReadyQueue } from '../../src/adapters/postgres/ready-queue.ts';
import type { Placement } from '../../src/commands/placement.ts';
import { createDatabase } from '../support/database.ts';
import { waitUntil } from '../support/wait-until.ts';

const JOBS = 4_000;

const jobs = (kind: 'ready' | 'waiting', revision: number): readonly Placement[] =>
  Array.from({ length: JOBS }, (_, i) => ({
    kind,
    tenantId: `t${i % 4}`,
    jobId: `job-${i}`,
    queue: 'default',
    type: i % 3 === 0 ? 'a' : 'b',
    priority: 5,
    revision,
    runAt: 100,
  }));

/** Everything a job goes through, on one connection, whose plans are made by the first round. */
async function round(pool: pg.Pool, placements: readonly Placement[]): Promise<number> {
  const queue = postgresReadyQueue(pool);
  await queue.place(placements, 1);
  await queue.fireReadyTimers(200, 0, JOBS);
  const { lanes } = await queue.lanes();
  const takes = Array.from({ length: 4 }, (_, t) => ({
    quota: JOBS / 4,
    lanes: lanes.filter(({ tenantId }) => tenantId === `t${t}`).map((lane) => ({ ...lane, floor: 0 })),
  })).filter((take) => take.lanes.length > 0);
  const slots = Array.from({ length: JOBS }, (_, i) => ({ workerId: 'w', leaseId: `l${i}` }));
  const { reserved } = await queue.reserve(takes, slots, 100, 1);
  const leases = reserved.map((job) => ({ ...job, leaseId: `l${job.slot}` }));
  await queue.extendLeases(leases, 200);
  await queue.endLeases(leases.slice(0, 100), 300);
  await queue.place(
    reserved.slice(0, JOBS / 2).map((job) => ({ ...job, kind: 'ready' })),
    1,
    leases.slice(0, JOBS / 2).map((lease) => ({ ...lease, expiresAt: 1_000 })),
  );
  await queue.place(
    reserved.map(({ tenantId, jobId }) => ({ tenantId, jobId, revision: 99, kind: 'gone' })),
    1,
  );
  return reserved.length;
}

it('looks rows up by key although its plans were made while the tables were empty', async () => {
  await using database = await createDatabase();
  await database.pool.query('vacuum analyze ready_jobs, leases, timers, ready_arrivals');
  const pool = new pg.Pool({
    connectionString: database.url,
    max: 1,
    onConnect: async (client) => {
      await client.query(`set search_path to ${SCHEMA}`);
    },
  });
  try {
    for (const kind of ['ready', 'waiting'] as const) await round(pool, jobs(kind, 0).slice(0, 1));
    const before = await entriesRead(database.pool);
    expect(await round(pool, jobs('ready', 0))).toBe(JOBS);
    expect(await round(pool, jobs('waiting', 100))).toBe(JOBS);
    await pool.end();
    const read = await waitUntil('the statistics have arrived', async () => {
      const entries = (await entriesRead(database.pool)) - before;
      return entries > JOBS && entries;
    });
    // A dozen or two lookups a job; a plan that walks an index for every job would read millions.
    expect(read).toBeLessThan(100 * JOBS);
  } finally {
    if (!pool.ended) await pool.end();
  }
});

/** Index entries, and rows of tables that were read as a whole. */
async function entriesRead(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ entries: string }>(
    `select
       (select sum(idx_tup_read) from pg_stat_user_indexes where relname = any ($1))
       + (select sum(seq_tup_read) from pg_stat_user_tables where relname = any ($1)) as entries`,
    [['ready_jobs', 'leases', 'timers', 'ready_arrivals']],
  );
  return Number(rows[0]?.entries ?? 0);
}
