import { expect, it } from 'vitest';
import { noLogger } from '../../src/commands/telemetry.ts';
import { readConfig } from '../../src/config.ts';
import { createEngine } from '../../src/engine.ts';
import { differenceCount } from '../../src/projections/compare-tables.ts';
import { rebuild } from '../../src/projections/rebuild.ts';
import { JobsClient, JobsWorker } from '../../src/sdk/index.ts';
import { type Service, startService } from '../../src/service.ts';
import { ALL_RIGHT, allDone, audit, queueCounts, verifyAll } from '../support/audit.ts';
import { runCli } from '../support/cli.ts';
import { countInEventStoreDb } from '../support/count-job-events.ts';
import { createDatabase } from '../support/database.ts';
import { type EventStoreDbInUse, useEventStoreDb } from '../support/eventstoredb/database-in-use.ts';
import { EventStoreDbServer } from '../support/eventstoredb/server.ts';
import { startLoad } from '../support/load.ts';
import { apiKey, freePort, startServer } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

it('runs jobs with the log in EventStoreDB, over a restart, and rebuilds what it shows of them', async () => {
  await using database = await createDatabase();
  await using eventStoreDb = await useEventStoreDb();
  const key = await apiKey(database.pool);
  const payload = '{ "big": 12345678901234567890, "text": "é 漢 🎉", "n": 1.10 }';

  let service = await start(database.url, eventStoreDb);
  const client = new JobsClient({ url: service.url, apiKey: key });
  const early = await client.enqueueBulk(
    Array.from({ length: 50 }, (_, n) => ({ type: 'add', payload: { n } })),
  );
  const exact = await post(service, key, `{"type":"keep","queue":"kept","payload":${payload}}`);
  await service.stop();

  service = await start(database.url, eventStoreDb);
  const again = new JobsClient({ url: service.url, apiKey: key });
  const late = await again.enqueueBulk(
    Array.from({ length: 50 }, (_, n) => ({ type: 'add', payload: { n } })),
  );
  const worker = new JobsWorker<{ add: { payload: { n: number }; result: { sum: number } } }>({
    connection: { url: service.url, apiKey: key },
    handlers: {
      add: async ({ payload: { n }, attempt }) => {
        if (attempt === 1 && n % 10 === 0) throw new Error('not the first time');
        return { sum: n + 1 };
      },
    },
  }).start();
  const ids = [...early.results, ...late.results].map((result) => {
    if (result.status !== 'created') throw new Error(result.status);
    return result.job.id;
  });
  await waitUntil('all are completed', async () => (await completed(database.pool)) === ids.length, {
    timeoutMs: 120_000,
  });
  await worker.stop();

  expect(await rawJob(service, key, exact)).toContain(`"payload":${payload}`);
  expect(await verifyAll(database.url, { eventStoreDb })).toEqual({});
  const { projectionEnvironment: environment, projections } = service.engine.parts;
  for (const projection of projections) {
    const { comparison } = await rebuild({ environment, projection, signal: new AbortController().signal });
    expect(differenceCount(comparison?.tables ?? [])).toBe(0);
  }
  await service.stop();
  const counts = await countInEventStoreDb(eventStoreDb, 'acme');
  expect(audit(counts, 'acme', [...ids, exact])).toMatchObject({ missing: [], unaccounted: [] });
}, 300_000);

it('loses nothing and doubles nothing when EventStoreDB is stopped and started under load', async () => {
  await using database = await createDatabase();
  await using eventStoreDb = await EventStoreDbServer.start();
  const key = await apiKey(database.pool);
  const where = { connectionString: eventStoreDb.url, streamPrefix: 'eventzr.' };
  await using server = await startServer({
    DATABASE_URL: database.url,
    EVENTSTOREDB_URL: where.connectionString,
    EVENTSTOREDB_STREAM_PREFIX: where.streamPrefix,
  });
  const load = startLoad({ urls: [server.url], apiKey: key });
  try {
    for (let stop = 0; stop < 2; stop += 1) {
      await load.more(150);
      eventStoreDb.stop();
      await waitUntil(
        'the service notices',
        async () => (await fetch(`${server.url}/readyz`)).status === 503,
      );
      await eventStoreDb.start();
      await load.more(150);
    }
    await load.stopProducing();
    await allDone(database.pool);
  } finally {
    await load.stopProducing();
    await load.stopWorking();
  }
  await server.end('SIGTERM');

  expect(load.surprises).toEqual([]);
  expect(new Set(load.accepted.values()).size).toBe(load.accepted.size);
  const counts = await countInEventStoreDb(where, 'acme');
  expect(audit(counts, 'acme', load.accepted.values())).toEqual(ALL_RIGHT);
  expect(await verifyAll(database.url, { eventStoreDb: where })).toEqual({});
  const { maintained, counted } = await queueCounts(database.pool);
  expect(maintained).toEqual(counted);
  expect(server.output()).not.toContain('unhandled');
}, 400_000);

it('refuses to start on a log that its database does not belong to', async () => {
  await using database = await createDatabase();
  await using eventStoreDb = await useEventStoreDb();
  const here = await createEngine({ databaseUrl: database.url, roles: new Set() });
  await here.stop();

  await expect(createEngine({ databaseUrl: database.url, eventStoreDb })).rejects.toMatchObject({
    code: 'log_elsewhere',
  });
});

it('says in one line that EventStoreDB cannot be read, without the password', async () => {
  await using database = await createDatabase();
  const nowhere = `esdb://me:hunter2@127.0.0.1:${await freePort()}?tls=false`;
  const starting = createEngine({
    databaseUrl: database.url,
    eventStoreDb: { connectionString: nowhere, streamPrefix: 'test.' },
  });

  await expect(starting).rejects.toMatchObject({ code: 'eventstoredb_failed' });
  await expect(starting).rejects.toThrow(
    /^EventStoreDB at 127\.0\.0\.1:\d+ cannot be read \(.*ECONNREFUSED.*\): .*EVENTSTOREDB_URL/,
  );
  await expect(starting).rejects.not.toThrow(/hunter2/);
});

it('does not decide where the log is by a start that fails', async () => {
  await using database = await createDatabase();
  const connectionString = `esdb://127.0.0.1:${await freePort()}?tls=false`;
  const starting = createEngine({
    databaseUrl: database.url,
    eventStoreDb: { connectionString, streamPrefix: 'test.' },
  });
  await expect(starting).rejects.toMatchObject({ code: 'eventstoredb_failed' });

  await using here = await createEngine({ databaseUrl: database.url, roles: new Set() });
  expect(await here.parts.log.head()).toBe(0n);
});

it('makes no keys in a log that the database does not belong to', async () => {
  await using database = await createDatabase();
  await using eventStoreDb = await useEventStoreDb();
  const there = await createEngine({ databaseUrl: database.url, eventStoreDb, roles: new Set() });
  await there.stop();

  const create = ['--json', 'keys', 'create', '--tenant', 'acme', '--role', 'admin'];
  const env = { DATABASE_URL: database.url };
  const wrong = await runCli(create, { env });
  expect(wrong).toMatchObject({ code: 1, out: '' });
  expect(JSON.parse(wrong.err)).toMatchObject({ error: { code: 'log_elsewhere' } });

  const { connectionString: EVENTSTOREDB_URL, streamPrefix: EVENTSTOREDB_STREAM_PREFIX } = eventStoreDb;
  const right = await runCli(create, { env: { ...env, EVENTSTOREDB_URL, EVENTSTOREDB_STREAM_PREFIX } });
  expect(right.code).toBe(0);
});

it('keeps a password to itself when the connection string cannot be understood', async () => {
  await using database = await createDatabase();
  const starting = createEngine({
    databaseUrl: database.url,
    eventStoreDb: { connectionString: 'esdb://me:hunter2@host:port?', streamPrefix: 'test.' },
  });

  await expect(starting).rejects.toMatchObject({ code: 'config_invalid' });
  await expect(starting).rejects.not.toThrow(/hunter2/);
});

function start(databaseUrl: string, eventStoreDb: EventStoreDbInUse): Promise<Service> {
  const invocation = readConfig([], {
    PORT: '0',
    EVENTSTOREDB_URL: eventStoreDb.connectionString,
    EVENTSTOREDB_STREAM_PREFIX: eventStoreDb.streamPrefix,
  });
  if (invocation.kind !== 'serve') throw new Error('no configuration');
  return startService({ ...invocation, logger: noLogger, databaseUrl, devKey: undefined });
}

/** Answers the id. The body goes as it is written here. */
async function post({ url }: Service, key: string, body: string): Promise<string> {
  const response = await fetch(`${url}/v1/jobs`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body,
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as { id: string }).id;
}

async function rawJob({ url }: Service, key: string, id: string): Promise<string> {
  const response = await fetch(`${url}/v1/jobs/${id}`, { headers: { authorization: `Bearer ${key}` } });
  return response.text();
}

async function completed(pool: Parameters<typeof allDone>[0]): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::int as count from jobs where status = 'completed'`,
  );
  return rows[0]?.count ?? 0;
}
