import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { createEventStoreDbLog } from '../../src/adapters/eventstoredb/event-log.ts';
import type { UseCases } from '../../src/commands/use-cases.ts';
import { createEngine, type Engine } from '../../src/engine.ts';
import type { Parts } from '../../src/parts.ts';
import { verifyAll } from '../support/audit.ts';
import { caller } from '../support/caller.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { EventStoreDbServer } from '../support/eventstoredb/server.ts';
import { waitUntil } from '../support/wait-until.ts';

const IN_TIME = 60_000;
const PREFIX = 'eventzr.';

it('refuses to start on a log that ends before what read models have seen', async () => {
  await using database = await createDatabase();
  await using server = await EventStoreDbServer.start();
  const early = await run(database, server, ['kept']);
  await using restored = await copyOf(server);
  const late = await run(database, server, ['lost', 'lost, too']);

  const starting = start(database, restored);
  await expect(starting).rejects.toMatchObject({ code: 'log_behind' });
  await expect(starting).rejects.toThrow(
    new RegExp(`^read model "[a-z-]+" has seen .*${PREFIX}\\* up to ${late}, but it ends at ${early}: `),
  );
});

it('refuses to start on another log of the same name with nothing in it', async () => {
  await using database = await createDatabase();
  await using server = await EventStoreDbServer.start();
  await run(database, server, ['a job']);
  await using other = await EventStoreDbServer.start();

  await expect(start(database, other)).rejects.toMatchObject({ code: 'log_behind' });
});

it('refuses to start when a feed has seen more than the log has', async () => {
  await using database = await createDatabase();
  await using server = await EventStoreDbServer.start();
  const end = await run(database, server, ['a job']);
  await database.pool.query(
    `insert into forwarder_checkpoints (name, position, fence) values ('kafka', $1, 1)`,
    [`${end + 1n}`],
  );

  await expect(start(database, server)).rejects.toThrow(/^feed "kafka" has seen /);
});

it('shows what is in the log, and runs it, after everything was built anew as the manual says', async () => {
  await using database = await createDatabase();
  await using server = await EventStoreDbServer.start();
  const early = await run(database, server, ['kept'], ({ useCases }) =>
    useCases.pauseQueue(caller(), 'default', { reason: 'kept' }),
  );
  await using restored = await copyOf(server);
  await run(database, server, ['lost'], async ({ useCases }) => {
    await useCases.resumeQueue(caller(), 'default', {});
    await useCases.pauseQueue(caller(), 'other', { reason: 'lost' });
  });
  await database.pool.query(sqlOfTheManual(early));

  await run(database, restored, ['new', 'new'], async ({ useCases, pool }) => {
    expect(await claimed(useCases)).toBe(0);
    await useCases.resumeQueue(caller(), 'default', {});
    const { rows } = await pool.query('select queue, paused from queue_settings');
    expect(rows).toEqual([{ queue: 'default', paused: false }]);
    let found = 0;
    await waitUntil('all three are claimed', async () => {
      found += await claimed(useCases);
      return found === 3;
    });
  });
  expect(await verifyAll(database.url, { eventStoreDb: whereOf(restored) })).toEqual({});
});

it('starts again on its own log, however much others have written to that EventStoreDB', async () => {
  await using database = await createDatabase();
  await using server = await EventStoreDbServer.start();
  writeAsOthers(server, 3);
  await run(database, server, []);
  writeAsOthers(server, 3);
  await run(database, server, ['one'], () => writeAsOthers(server, 2_500));
  writeAsOthers(server, 3);
  await run(database, server, ['two']);
});

it('gives positions of events of its own alone, so that none lies beyond the head', async () => {
  await using server = await EventStoreDbServer.start();
  const log = createEventStoreDbLog({ connectionString: server.url, streamPrefix: PREFIX });
  onTestFinished(() => log.close());
  const first = await append(log, 'job-acme.a');
  const stop = new AbortController();
  const seen: bigint[] = [];
  const following = (async () => {
    for await (const page of log.subscribe(0n, { signal: stop.signal })) seen.push(page.position);
  })();
  await waitUntil('it is live', () => seen.length > 1);
  writeAsOthers(server, 2_500);
  const second = await append(log, 'job-acme.b');
  await waitUntil('it has seen both', () => seen.at(-1) === second);
  stop.abort();
  await following;
  expect(new Set(seen)).toEqual(new Set([first, second]));
});

/** An engine's whole life; answers where its log ended, all read models having come so far. */
async function run(
  database: TestDatabase,
  server: EventStoreDbServer,
  types: readonly string[],
  act: (parts: Parts) => unknown = () => undefined,
): Promise<bigint> {
  await using engine = await start(database, server);
  if (types.length > 0)
    await engine.enqueue(
      'acme',
      types.map(() => ({ type: 't' })),
    );
  await act(engine.parts);
  const head = await engine.parts.log.head();
  const { freshness, projections } = engine.parts;
  for (const { name } of projections) expect(await freshness.waitFor(name, head, IN_TIME)).toBe(true);
  await waitUntil('positions are written down', async () =>
    (await freshness.freshness()).every(({ position }) => position === head),
  );
  return head;
}

const start = (database: TestDatabase, server: EventStoreDbServer): Promise<Engine> =>
  createEngine({
    databaseUrl: database.url,
    eventStoreDb: whereOf(server),
  });

const whereOf = ({ url }: EventStoreDbServer) => ({ connectionString: url, streamPrefix: PREFIX });

const claimed = async (useCases: UseCases): Promise<number> => {
  const { tenantId: _, ...context } = caller();
  const request = { workerId: 'w', tenants: '*', queues: '*', max: 10, leaseMs: 60_000, waitMs: 0 } as const;
  return (await useCases.claimJobs(context, request)).length;
};

function sqlOfTheManual(end: bigint): string {
  const text = readFileSync(new URL('../../docs/adr/0014-eventstoredb.md', import.meta.url), 'utf8');
  const [sql] = /set search_path = eventzr;[\s\S]*?forwarder_checkpoints[^;]*;/.exec(text) ?? [];
  if (sql === undefined || !sql.includes('123456')) throw new Error('the manual has no statements');
  return sql.replace('123456', `${end}`);
}

/** As a backup of now is when it has been restored: the same events at the same positions. */
async function copyOf(server: EventStoreDbServer): Promise<EventStoreDbServer> {
  const copy = await EventStoreDbServer.start();
  for (const event of server.streams.all) copy.streams.append(event.stream, 'any', [event]);
  return copy;
}

function writeAsOthers(server: EventStoreDbServer, events: number): void {
  for (let written = 0; written < events; written += 1) {
    const text = Buffer.from('{}');
    const event = {
      id: randomUUID(),
      type: 'T',
      contentType: 'application/json',
      data: text,
      metadata: text,
    };
    server.streams.append('other-1', 'any', [event]);
  }
}

async function append(log: ReturnType<typeof createEventStoreDbLog>, stream: string): Promise<bigint> {
  const metadata = {
    tenantId: 'acme',
    actor: { id: 'test', auth: 'in_process' as const },
    correlationId: 'c',
    causationId: stream,
    occurredAt: 0,
  };
  const events = [{ type: 'T', schemaVersion: 1, data: '{}', metadata }];
  const [outcome] = await log.append([{ stream, expectedRevision: -1, events }]);
  if (outcome?.kind !== 'appended') throw new Error('not appended');
  return outcome.position;
}
