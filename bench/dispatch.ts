import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { postgresReadyQueue } from '../src/adapters/postgres/ready-queue.ts';
import { systemClock, systemIds } from '../src/adapters/system.ts';
import { ClaimDispatcher } from '../src/commands/claim-dispatcher.ts';
import { type Placement, placementOf } from '../src/commands/placement.ts';
import type { ExistingJob } from '../src/domain/job/state.ts';
import { asJsonText } from '../src/domain/json-text.ts';
import { createDatabase } from '../test/support/database.ts';

/** What the ready queue does a second, without the log; needs DATABASE_URL of a server on this machine. */
const JOBS = Number(process.env.BENCH_JOBS ?? 200_000);
const CLOCK_TICK_US = 10_000;
const ids = systemIds();

for (const tenants of [1, 1_000]) {
  for (const held of [false, true]) await run(tenants, held);
}

async function run(tenants: number, held: boolean): Promise<void> {
  console.log(`\n${JOBS} jobs of ${tenants} tenant(s)${held ? ', an old transaction open' : ''}`);
  await using database = await createDatabase();
  const { pool } = database;
  const holder = held ? await pool.connect() : undefined;
  if (holder) await holder.query('begin isolation level repeatable read; select count(*) from ready_jobs');
  const readyQueue = postgresReadyQueue(pool);
  const process = () => new ClaimDispatcher({ readyQueue, clock: systemClock, ids });
  const dispatcher = process();
  await empty('empty claim on empty tables', dispatcher);
  const waiting = await place(pool, readyQueue, tenants);
  const claimed = new Set<string>();
  await measure(pool, 'claim 500 at a time', async () => {
    for (;;) {
      const jobs = await dispatcher.reserve(request(500));
      for (const { jobId } of jobs) claimed.add(jobId);
      if (jobs.length === 0) return claimed.size;
    }
  });
  if (claimed.size !== JOBS) throw new Error(`claimed ${claimed.size} of ${JOBS}`);
  await empty('empty claim afterwards', dispatcher);
  await empty('empty claim by another process', process());
  const done = waiting.map(
    ({ tenantId, jobId }): Placement => ({ tenantId, jobId, revision: 2, kind: 'gone' }),
  );
  await measure(pool, 'finish, 1,000 at a time', () => inBatches(readyQueue, done));
  await empty('empty claim after all are finished', dispatcher);
  await measure(pool, 'look for expired leases, 100 times', async () => {
    const now = Date.now();
    for (let i = 0; i < 100; i += 1) await readyQueue.expiredLeases(now, now - 10_000, 500);
    return 100;
  });
  const due = waiting.slice(0, 10_000).map((job): Placement => {
    const { snapshot = '', ...rest } = job.kind === 'ready' ? job : { ...job, snapshot: '' };
    if (rest.kind !== 'ready') throw new Error('not a ready job');
    return { ...rest, snapshot, kind: 'waiting', runAt: Date.now() + 1_000, revision: 3 };
  });
  await measure(pool, 'set timers', () => inBatches(readyQueue, due));
  await measure(pool, 'fire 10,000 timers due at once', async () => {
    let fired = 0;
    for (;;) {
      const now = await readyQueue.fireReadyTimers(Date.now() + 5_000, -1, 2_000);
      fired += now;
      if (now === 0) return fired;
    }
  });
  holder?.release(true);
}

function request(max: number) {
  return { workerId: 'w', tenants: '*', queues: '*', max, leaseMs: 30_000, waitMs: 0 } as const;
}

async function place(pool: pg.Pool, readyQueue: ReturnType<typeof postgresReadyQueue>, tenants: number) {
  const now = Date.now();
  const job: ExistingJob = {
    status: 'queued',
    type: 'email.send',
    queue: 'default',
    priority: 5,
    payload: asJsonText('{"to":"somebody@example.com","template":"welcome"}'),
    tags: [],
    maxAttempts: 3,
    retry: { kind: 'exponential', baseMs: 1_000, factor: 2, maxMs: 3_600_000 },
    runAt: now,
    enqueuedAt: now,
    spentAttempts: 0,
    attempt: 1,
  };
  const placements: Placement[] = [];
  await measure(pool, 'place ready, 1,000 at a time', async () => {
    for (let at = 0; at < JOBS; at += 1_000) {
      const batch = Array.from({ length: Math.min(1_000, JOBS - at) }, (_, i): Placement => {
        const address = { tenantId: `tenant-${(at + i) % tenants}`, jobId: ids.next() };
        return { ...placementOf(address, 0, job, now), isNew: true };
      });
      await readyQueue.place(batch, now);
      placements.push(...batch);
    }
    return JOBS;
  });
  return placements;
}

async function inBatches(
  readyQueue: ReturnType<typeof postgresReadyQueue>,
  placements: readonly Placement[],
): Promise<number> {
  for (let at = 0; at < placements.length; at += 1_000)
    await readyQueue.place(placements.slice(at, at + 1_000), Date.now());
  return placements.length;
}

async function empty(name: string, dispatcher: ClaimDispatcher): Promise<void> {
  const times: number[] = [];
  const started = performance.now();
  while (performance.now() - started < 4_000) {
    const before = performance.now();
    const jobs = await dispatcher.reserve(request(500));
    if (jobs.length > 0) throw new Error('the claim was not empty');
    times.push(performance.now() - before);
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor((times.length - 1) * share)] ?? 0).toFixed(2);
  console.log(`${name.padEnd(36)} p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${at(1)} ms`);
}

async function measure(pool: pg.Pool, name: string, work: () => Promise<number>): Promise<void> {
  const before = await cpu(pool);
  const started = performance.now();
  const count = await work();
  const seconds = (performance.now() - started) / 1_000;
  const after = await cpu(pool);
  const cost = (field: 'node' | 'postgres') => ((after[field] - before[field]) / count).toFixed(1);
  console.log(
    `${name.padEnd(36)} ${Math.round(count / seconds)}/s, ${(seconds * 1_000).toFixed(0)} ms, ` +
      `CPU ${cost('node')} µs Node, ${cost('postgres')} µs Postgres each`,
  );
}

/** Microseconds of CPU of this process, and of this database's connections. */
async function cpu(pool: pg.Pool) {
  const { rows } = await pool.query<{ pid: number }>(
    'select pid from pg_stat_activity where datname = current_database()',
  );
  let postgres = 0;
  for (const { pid } of rows) {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    postgres += (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_US;
  }
  const own = globalThis.process.cpuUsage();
  return { node: own.user + own.system, postgres };
}
