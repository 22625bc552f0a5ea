import type { PoolClient } from 'pg';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLead } from '../../src/adapters/postgres/leadership.ts';
import { systemClock } from '../../src/adapters/system.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import { createPauseQueue } from '../../src/commands/pause-queue.ts';
import { inTransaction } from '../../src/projections/in-transaction.ts';
import { jobsProjection } from '../../src/projections/jobs.ts';
import type { Projection } from '../../src/projections/projection.ts';
import { queueStatsProjection } from '../../src/projections/queue-stats.ts';
import { quotaUsageProjection } from '../../src/projections/quota-usage.ts';
import { READY_JOBS, readyJobs } from '../../src/projections/ready-jobs.ts';
import { runProjections } from '../../src/projections/runner.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import {
  CALLER,
  type DispatchProcess,
  dispatchProcess,
  emptyUnloggedTables,
  type MovableClock,
  movableClock,
} from '../support/dispatch.ts';
import { holdTenant } from '../support/holding.ts';
import { lastPosition } from '../support/last-position.ts';
import { running } from '../support/running.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;
let clock: MovableClock;
let one: DispatchProcess;
let positions: Map<string, bigint>;

beforeEach(async () => {
  database = await createDatabase();
  clock = movableClock();
  one = dispatchProcess(database.pool, clock);
  positions = new Map();
});

afterEach(async () => {
  await one.close();
  await database[Symbol.asyncDispose]();
});

function project(...projections: readonly Projection[]) {
  const { pool } = database;
  const lead = createLead({ pool, holder: 'test' });
  const environment = { pool, log: one.log, decode: decodeEvent, lead, clock: systemClock };
  return running((signal) =>
    runProjections(
      {
        environment,
        projections,
        advanced: (name, position) => {
          positions.set(name, position);
          one.dispatcher.wake();
        },
      },
      signal,
    ),
  );
}

const caughtUp = (name: string) =>
  waitUntil(`${name} has caught up`, async () => {
    const position = positions.get(name);
    return position !== undefined && position >= (await lastPosition(database.pool));
  });

async function claimOne() {
  const [claim] = await one.claim({ waitMs: 10_000 });
  if (!claim) throw new Error('nothing to claim');
  return claim;
}

const count = async (table: string) => {
  const { rows } = await database.pool.query<{ n: number }>(`select count(*)::int as n from ${table}`);
  return rows[0]?.n;
};

it('a crash of Postgres: dispatch starts again from the jobs read model, with deadlines and running jobs', async () => {
  const deadlineAt = clock.now() + 600_000;
  await one.enqueue('acme', [{}, {}, {}]);
  const [doomed] = await one.enqueue('acme', [{ deadlineAt, runAt: clock.now() + 300_000 }]);
  let held: Awaited<ReturnType<typeof claimOne>>;
  {
    await using _projections = project(jobsProjection, queueStatsProjection, readyJobs({ clock }));
    const done = await claimOne();
    held = await claimOne();
    await one.acknowledge(CALLER, '*', [{ leaseToken: done.leaseToken, outcome: 'completed' }]);
    await caughtUp('jobs');
    await caughtUp('queue-stats');
    await caughtUp(READY_JOBS);
  }
  // What a crash does to unlogged tables.
  await emptyUnloggedTables(database.pool);
  await database.pool.query('truncate projection_checkpoints_unlogged');
  positions.clear();
  await one.enqueue('acme', [{}]);

  await using _projections = project(jobsProjection, queueStatsProjection, readyJobs({ clock }));
  await using _timers = running(one.timers);
  await caughtUp(READY_JOBS);
  const claims = [await claimOne(), await claimOne()];
  expect(new Set(claims.map((claim) => claim.snapshot.jobId)).has(held.snapshot.jobId)).toBe(false);
  expect(await one.claim({ waitMs: 100 })).toEqual([]);
  await waitUntil('every job is in its place', async () => (await count('timers')) === 2);
  expect(await count('leases')).toBe(3);
  clock.advance(600_001);
  await waitUntil('the deadline was kept', async () => {
    return (await one.job('acme', doomed ?? '')).status === 'dead_lettered';
  });
});

it('repair puts back rows that were lost and removes rows that are wrong', async () => {
  const [lost = '', wrong = ''] = await one.enqueue('acme', [{}, {}]);
  const projection = readyJobs({ clock });
  await using _projections = project(jobsProjection, projection);
  await caughtUp('jobs');
  await caughtUp(READY_JOBS);
  await database.pool.query('delete from ready_jobs where job_id = $1', [lost]);
  await one.command('acme', wrong, { type: 'CancelJob', graceMs: 0, at: clock.now() });
  await caughtUp('jobs');
  await caughtUp(READY_JOBS);
  await database.pool.query(
    `insert into ready_jobs (tenant_id, queue, type, priority, seq, job_id, revision, ready_since)
     values ('acme', 'default', 'test', 5, 1, $1, 0, 0)`,
    [wrong],
  );
  await inTransaction(
    database.pool,
    (client) =>
      projection.repair?.({ client, table: (name) => name }) ?? Promise.reject(new Error('no repair')),
  );
  await using _timers = running(one.timers);
  await waitUntil('the timers have placed them', async () => (await count('timers')) === 0);
  const { rows } = await database.pool.query('select job_id from ready_jobs');
  expect(rows).toEqual([{ job_id: lost }]);
});

it('a crash of Postgres before dispatch has heard of a pause and a limit: both hold', async () => {
  await one.enqueue('acme', [{}, { queue: 'narrow' }, { queue: 'narrow' }]);
  await one.queueEvent('acme', 'default', { type: 'QueuePaused', data: {} });
  await one.queueEvent('acme', 'narrow', { type: 'QueueLimitChanged', data: { concurrencyLimit: 1 } });
  {
    await using _ahead = project(jobsProjection, queueStatsProjection);
    await caughtUp('jobs');
    await caughtUp('queue-stats');
  }
  await using _projections = project(jobsProjection, queueStatsProjection, readyJobs({ clock }));
  await using _timers = running(one.timers);
  await waitUntil('all are in line', async () => (await count('ready_jobs')) === 3);
  const claims = await one.claim({ max: 3 });
  expect(claims.map(({ snapshot }) => snapshot.job.queue)).toEqual(['narrow']);
  await one.queueEvent('acme', 'default', { type: 'QueueResumed', data: {} });
  expect((await claimOne()).snapshot.job.queue).toBe('default');
});

it('a crash of Postgres: a queue that is paused while dispatch starts again is paused when it has', async () => {
  await one.enqueue('acme', [{}, {}]);
  await one.queueEvent('acme', 'default', { type: 'QueueLimitChanged', data: { concurrencyLimit: 5 } });
  const projection = readyJobs({ clock });
  {
    await using _projections = project(jobsProjection, queueStatsProjection, projection);
    await using _timers = running(one.timers);
    await claimOne();
    for (const name of ['jobs', 'queue-stats', READY_JOBS]) await caughtUp(name);
  }
  await emptyUnloggedTables(database.pool);
  const pauseQueue = createPauseQueue({
    ...one,
    changed: (settings) => one.readyQueue.setQueue(settings, clock.now()),
  });
  let paused: Promise<unknown> | undefined;
  await inTransaction(database.pool, async (client) => {
    const query = async (text: string, values?: unknown[]) => {
      const result = await client.query(text, values);
      if (!String(text).includes('into queue_settings')) return result;
      paused = pauseQueue({ ...CALLER, tenantId: 'acme' }, 'default', {});
      await waitUntil('the pause waits', async () => (await database.pool.query(WAITING)).rows.length > 0);
      return result;
    };
    const seeding: PoolClient = Object.assign(Object.create(client), { query });
    await projection.seed?.({ client: seeding, table: (name) => name });
  });
  await paused;
  await using _timers = running(one.timers);
  await waitUntil('the other job is in line', async () => (await count('ready_jobs')) === 1);
  expect(await one.claim({ max: 5 })).toEqual([]);
});

it('a crash of Postgres: what ran before counts against limits, also those that dispatch had not heard of', async () => {
  await one.enqueue('acme', [{}, {}, { queue: 'narrow' }]);
  {
    await using _projections = project(jobsProjection, queueStatsProjection, readyJobs({ clock }));
    // Jobs that are listed before the queue begins are looked up by the timers.
    await using _timers = running(one.timers);
    for (let i = 0; i < 3; i += 1) await claimOne();
    await caughtUp('jobs');
    await caughtUp('queue-stats');
  }
  await holdTenant(one, 'acme', { runningJobs: 3 });
  await one.queueEvent('acme', 'narrow', { type: 'QueueLimitChanged', data: { concurrencyLimit: 1 } });
  {
    await using _ahead = project(jobsProjection, queueStatsProjection, quotaUsageProjection);
    for (const name of ['jobs', 'queue-stats', 'quota-usage']) await caughtUp(name);
  }
  await emptyUnloggedTables(database.pool);
  await database.pool.query('truncate projection_checkpoints_unlogged');
  positions.clear();

  const all = [jobsProjection, queueStatsProjection, quotaUsageProjection, readyJobs({ clock })];
  await using _projections = project(...all);
  await caughtUp(READY_JOBS);
  await one.enqueue('acme', [{}, { queue: 'narrow' }]);
  await waitUntil('the new jobs are in line', async () => (await count('ready_jobs')) === 2);
  expect(await one.claim({ max: 5 })).toEqual([]);
  await holdTenant(one, 'acme', { runningJobs: 5 });
  expect((await claimOne()).snapshot.job.queue).toBe('default');
  await using _timers = running(one.timers);
  await waitUntil('running jobs were read', async () => (await count('timers')) === 0);
  expect(await count('leases')).toBe(4);
  expect(await one.claim({ max: 5 })).toEqual([]);
  const { rows } = await database.pool.query('select * from wrong_slot_counts(10)');
  expect(rows).toEqual([]);
});

const WAITING = `
select from pg_locks
where locktype = 'advisory' and not granted
  and database = (select oid from pg_database where datname = current_database())`;
