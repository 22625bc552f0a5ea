import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPostgresEventLog, type PostgresEventLog } from '../../src/adapters/postgres/event-log.ts';
import { createPool } from '../../src/adapters/postgres/pool.ts';
import { createStageJobs, createStagingArea } from '../../src/adapters/postgres/staged-jobs.ts';
import { createStagedJobsRelay } from '../../src/adapters/postgres/staged-jobs-relay.ts';
import { systemClock, systemIds } from '../../src/adapters/system.ts';
import { createEnqueueJobs, createEnqueueStaged } from '../../src/commands/enqueue-jobs.ts';
import { LogUnavailableError } from '../../src/commands/ports.ts';
import type { StagedBatch } from '../../src/commands/staged-jobs.ts';
import { jobStream, parseJobStream } from '../../src/domain/job/stream.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { caller, jobRequest } from '../support/caller.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { waitUntil } from '../support/wait-until.ts';

const ids = systemIds();
const stageJobs = createStageJobs({ clock: systemClock, ids });
let database: TestDatabase;
let pool: pg.Pool;
let log: PostgresEventLog;
let enqueue: ReturnType<typeof createEnqueueStaged>;

beforeAll(async () => {
  database = await createDatabase();
  pool = createPool({ connectionString: database.url });
  log = createPostgresEventLog({ pool });
  enqueue = createEnqueueStaged({ log }, systemClock);
});

afterAll(async () => {
  await log.close();
  await pool.end();
  await database[Symbol.asyncDispose]();
});

/** Runs the relay until the block ends. */
function relaying(settings: Partial<Parameters<typeof createStagedJobsRelay>[0]> = {}) {
  const stop = new AbortController();
  const relay = createStagedJobsRelay({ pool, enqueue, ...settings });
  const running = relay.run(stop.signal).catch((error: unknown) => error);
  return {
    running,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

async function enqueuedOf(tenantId: string): Promise<readonly string[]> {
  // Not through a log reader: readers may be some milliseconds behind.
  const { rows } = await pool.query<{ stream: string }>(
    `select stream from eventzr.events where stream ^@ $1 and type = 'JobEnqueued' order by position`,
    [jobStream(tenantId, '')],
  );
  return rows.map(({ stream }) => parseJobStream(stream)?.jobId ?? '');
}

async function stagedLeft(tenantId: string): Promise<number> {
  const { rows } = await pool.query('select from eventzr.staged_jobs where tenant_id = $1', [tenantId]);
  return rows.length;
}

async function transaction<T>(
  work: (client: pg.PoolClient) => Promise<T>,
  end: 'commit' | 'rollback',
): Promise<T> {
  const client = await database.pool.connect();
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query(end);
    return result;
  } finally {
    client.release();
  }
}

const jobIdsOf = (results: readonly { kind: string; jobId?: string }[]) => results.map(({ jobId }) => jobId);
const jobs = (count: number) =>
  Array.from({ length: count }, (_, index) => jobRequest({ tags: [`${index}`] }));

test('jobs are enqueued once the transaction has committed, in order, with the payload byte for byte', async () => {
  await using _ = relaying();
  const payload = asJsonText('{"b": 1.50, "a":12345678901234567890, "u":"\\u0000"}');
  const staged = await transaction(
    (client) => stageJobs(client, caller('commit'), [jobRequest({ payload }), ...jobs(9)]),
    'commit',
  );
  await waitUntil('all are in the log', async () => (await enqueuedOf('commit')).length === 10);
  expect(await enqueuedOf('commit')).toEqual(jobIdsOf(staged));
  const [first] = await log.readStream(jobStream('commit', jobIdsOf(staged)[0] ?? ''));
  expect(first?.content).toBe(payload);
  expect(first?.metadata).toMatchObject({ actor: { id: 'tester' }, correlationId: 'corr-1' });
  await waitUntil('the rows are gone', async () => (await stagedLeft('commit')) === 0);
});

test('jobs of a transaction that is rolled back never existed', async () => {
  await using _ = relaying();
  await transaction((client) => stageJobs(client, caller('rollback'), jobs(3)), 'rollback');
  await transaction((client) => stageJobs(client, caller('rollback'), jobs(1)), 'commit');
  await waitUntil('the committed one is there', async () => (await enqueuedOf('rollback')).length > 0);
  expect(await enqueuedOf('rollback')).toHaveLength(1);
});

test('a transaction that stays open holds up neither appends, nor readers, nor other transactions', async () => {
  await using _ = relaying();
  const enqueueJobs = createEnqueueJobs({ log, clock: systemClock, ids });
  await transaction(async (client) => {
    await stageJobs(client, caller('patient'), jobs(2));
    await enqueueJobs(caller('patient'), jobs(1));
    await transaction((other) => stageJobs(other, caller('patient'), jobs(1)), 'commit');
    await waitUntil('both others are visible', async () => (await enqueuedOf('patient')).length === 2);
  }, 'commit');
  await waitUntil('its own follow, although newer rows were moved before', async () => {
    return (await enqueuedOf('patient')).length === 4;
  });
});

test("any search_path will do, also one that hides the system's own names", async () => {
  await using _ = relaying();
  await database.pool.query(`create schema hostile`);
  await database.pool.query(`create table hostile.staged_jobs (id int)`);
  await database.pool.query(
    `create function hostile.now() returns timestamptz language sql as 'select null::timestamptz'`,
  );
  await transaction(async (client) => {
    await client.query(`set local search_path to hostile, pg_catalog`);
    await stageJobs(client, caller('paths'), jobs(1));
    await client.query(`set local search_path to ''`);
    await stageJobs(client, caller('paths'), jobs(1));
  }, 'commit');
  await waitUntil('both are enqueued', async () => (await enqueuedOf('paths')).length === 2);
});

test('when one job is refused none is staged', async () => {
  const results = await transaction(
    (client) => stageJobs(client, caller('refused'), [...jobs(1), jobRequest({ runAt: 0 })]),
    'commit',
  );
  expect(results).toEqual([
    { kind: 'refused', reason: 'batch_refused' },
    { kind: 'refused', reason: 'run_at_out_of_range' },
  ]);
  expect(await stagedLeft('refused')).toBe(0);
});

test('a dedupe key is honoured when the job is moved', async () => {
  await using _ = relaying();
  const keyed = () => [jobRequest({ dedupeKey: 'k' })];
  for (let i = 0; i < 3; i += 1) {
    await transaction((client) => stageJobs(client, caller('keys'), keyed()), 'commit');
  }
  await waitUntil('the rows are gone', async () => (await stagedLeft('keys')) === 0);
  expect(await enqueuedOf('keys')).toHaveLength(1);
});

test('several relays move each job once', async () => {
  await Promise.all(
    Array.from({ length: 20 }, () =>
      transaction((client) => stageJobs(client, caller('many'), jobs(20)), 'commit'),
    ),
  );
  await using _a = relaying();
  await using _b = relaying();
  await using _c = relaying();
  await waitUntil('the rows are gone', async () => (await stagedLeft('many')) === 0);
  const found = await enqueuedOf('many');
  expect(found).toHaveLength(400);
  expect(new Set(found).size).toBe(400);
});

test('a relay that is killed after the append and before the delete leaves each job exactly once', async () => {
  await transaction((client) => stageJobs(client, caller('killed'), jobs(50)), 'commit');
  const victims = createPool({ connectionString: database.url, applicationName: 'victim' });
  const appended = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const slow = async (batch: StagedBatch) => {
    const results = await enqueue(batch);
    appended.resolve();
    await goOn.promise;
    return results;
  };
  const victim = relaying({ pool: victims, enqueue: slow });
  await appended.promise;
  await pool.query(
    `select pg_terminate_backend(pid)
     from pg_stat_activity
     where datname = current_database()
       and application_name = 'victim'`,
  );
  goOn.resolve();
  expect(await victim.running).toBeInstanceOf(Error);
  await victims.end();
  expect(await stagedLeft('killed')).toBe(50);
  await using _ = relaying();
  await waitUntil('the rows are gone', async () => (await stagedLeft('killed')) === 0);
  const found = await enqueuedOf('killed');
  expect(found).toHaveLength(50);
  expect(new Set(found).size).toBe(50);
});

test('rows that can not be moved are tried again and do not hold up others', async () => {
  let refusals = 0;
  const picky = async (batch: StagedBatch) => {
    if (batch.requests[0]?.tags?.[0] === 'bad' && refusals < 1) {
      refusals += 1;
      throw new LogUnavailableError('not now');
    }
    return enqueue(batch);
  };
  await transaction(
    (client) => stageJobs(client, caller('picky'), [jobRequest({ tags: ['bad'] })]),
    'commit',
  );
  await transaction((client) => stageJobs(client, caller('picky'), jobs(1)), 'commit');
  await using _ = relaying({ enqueue: picky });
  await waitUntil('all are gone', async () => (await stagedLeft('picky')) === 0);
  expect(refusals).toBe(1);
  expect(await enqueuedOf('picky')).toHaveLength(2);
});

test('an atomic batch is enqueued whole, and nothing stays staged', async () => {
  const enqueueJobs = createEnqueueJobs({ log, clock: systemClock, ids, staging: createStagingArea(pool) });
  const results = await enqueueJobs(caller('whole'), jobs(100), { atomic: true });
  expect(new Set(results.map(({ kind }) => kind))).toEqual(new Set(['created']));
  expect(await enqueuedOf('whole')).toHaveLength(100);
  expect(await stagedLeft('whole')).toBe(0);
});

test('an atomic batch whose process dies after half of the events is completed by a relay', async () => {
  const dying = {
    append: async (requests: Parameters<typeof log.append>[0]) => {
      await log.append(requests.slice(0, requests.length / 2));
      throw new LogUnavailableError('dead');
    },
    readStreams: (streams: readonly string[]) => log.readStreams(streams),
  } as unknown as PostgresEventLog;
  const enqueueJobs = createEnqueueJobs({
    log: dying,
    clock: systemClock,
    ids,
    staging: createStagingArea(pool),
  });
  await expect(enqueueJobs(caller('half'), jobs(100), { atomic: true })).rejects.toThrow('dead');
  expect(await enqueuedOf('half')).toHaveLength(50);
  // The head start of the process that died is over.
  await pool.query(`update eventzr.staged_jobs set due_at = now() where tenant_id = 'half'`);
  await using _ = relaying();
  await waitUntil('the rows are gone', async () => (await stagedLeft('half')) === 0);
  const found = await enqueuedOf('half');
  expect(found).toHaveLength(100);
  expect(new Set(found).size).toBe(100);
});
