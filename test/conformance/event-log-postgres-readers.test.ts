import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createPostgresEventLog, type PostgresEventLog } from '../../src/adapters/postgres/event-log.ts';
import { logPage } from '../../src/adapters/postgres/log-reader.ts';
import { createPool } from '../../src/adapters/postgres/pool.ts';
import { LOG_START, NO_STREAM } from '../../src/commands/ports.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { waitUntil } from '../support/wait-until.ts';
import { collect, newEvents, readAll, streamName } from './log-events.ts';
import { type CountingMetrics, countingMetrics, holdWriter } from './writers.ts';

describe('readers of the Postgres event log', () => {
  let database: TestDatabase;
  let metrics: CountingMetrics;
  let log: PostgresEventLog;

  beforeEach(async () => {
    database = await createDatabase();
    metrics = countingMetrics();
    log = createPostgresEventLog({ pool: database.pool, metrics });
  });
  afterEach(async () => {
    await log.close();
    await database[Symbol.asyncDispose]();
  });

  const append = async (stream: string, expectedRevision = NO_STREAM, count = 1) =>
    (await log.append([{ stream, expectedRevision, events: newEvents(count) }]))[0];

  test('do not pass a writer that has drawn a position and not committed', async () => {
    await append('job-a.0');
    await using early = collect(log, LOG_START);
    await early.caughtUp();
    await using held = await holdWriter(database.pool, 'job-a.held');

    expect(await append('job-a.later')).toMatchObject({ kind: 'appended', position: held.position + 1n });
    await using late = collect(log, LOG_START);
    await late.caughtUp();
    await waitUntil('readers asked and gave up', () => metrics.counted('event_log_hwm_timeouts') > 0);

    expect(early.events.map(({ stream }) => stream)).toEqual(['job-a.0']);
    expect(late.events.map(({ stream }) => stream)).toEqual(['job-a.0']);
    expect((await log.readLog(LOG_START, 10)).events.map(({ stream }) => stream)).toEqual(['job-a.0']);
    expect(await log.head()).toBeLessThan(held.position);

    await held.commit();
    await early.count(3);
    await late.count(3);
    const order = ['job-a.0', 'job-a.held', 'job-a.later'];
    expect(early.events.map(({ stream }) => stream)).toEqual(order);
    expect(late.events.map(({ stream }) => stream)).toEqual(order);
  });

  test('go on when such a writer gives up', async () => {
    await using seen = collect(log, LOG_START);
    await seen.caughtUp();
    const held = await holdWriter(database.pool, 'job-a.held');
    await append('job-a.later');
    await held[Symbol.asyncDispose]();

    await seen.count(1);
    expect(seen.events.map(({ stream }) => stream)).toEqual(['job-a.later']);
  });

  test('pass positions that were drawn and never used, in the middle and at the end', async () => {
    await using seen = collect(log, LOG_START);
    await seen.caughtUp();
    await append('job-a.1');
    await database.pool.query(`select nextval('events_position') from generate_series(1, 40)`);
    await append('job-a.2');
    await seen.count(2);
    await database.pool.query(`select nextval('events_position') from generate_series(1, 40)`);

    // Not at once when a writer was met that took its time.
    const head = await waitUntil('the head is there', async () => {
      const position = await log.head();
      return position >= 82n && position;
    });
    await seen.position(head);
    expect(head).toBe(82n);
    expect(await log.readLog(LOG_START, 10)).toMatchObject({ position: head, caughtUp: true });
    expect(seen.events).toHaveLength(2);
  });

  test('do not wait for an unrelated transaction that writes for long', async () => {
    const client = await database.pool.connect();
    await client.query('begin');
    await client.query('create table unrelated (id int)');
    await client.query('insert into unrelated values (1)');
    try {
      await append('job-a.1');
      await using seen = collect(log, LOG_START);
      await seen.count(1);
      await append('job-a.2');
      await seen.count(2);
      expect(await readAll(log)).toHaveLength(2);
    } finally {
      await client.query('rollback');
      client.release();
    }
  });

  test('see what another process appends', async () => {
    await using other = await otherProcess(database.url);
    await using seen = collect(log, LOG_START);
    await seen.caughtUp();

    await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        (index % 2 === 0 ? log : other.log).append([
          { stream: streamName(index), expectedRevision: NO_STREAM, events: newEvents(2) },
        ]),
      ),
    );

    await seen.count(400);
    const truth = await readAll(other.log, 400);
    expect(seen.events.map(({ position }) => position)).toEqual(truth.map(({ position }) => position));
  });

  test('that are slow read on by themselves once their buffer is full, and miss nothing', async () => {
    const stop = new AbortController();
    const pages = log.subscribe(LOG_START, { signal: stop.signal })[Symbol.asyncIterator]();
    expect((await pages.next()).value).toMatchObject({ events: [], caughtUp: true });
    const rest = pages.next();
    await using quick = collect(log, LOG_START);
    const total = 24_000;
    for (let start = 0; start < total; start += 4_000) {
      await log.append(
        Array.from({ length: 2_000 }, (_, index) => ({
          stream: streamName(start + index),
          expectedRevision: NO_STREAM,
          events: newEvents(2),
        })),
      );
    }
    await quick.count(total);

    const positions: bigint[] = [];
    for (let page = await rest; !page.done; page = await pages.next()) {
      positions.push(...page.value.events.map(({ position }) => position));
      if (positions.length >= total) break;
    }
    stop.abort();
    expect(positions).toEqual(quick.events.map(({ position }) => position));
  });

  test('resume by themselves after the server has closed all connections', async () => {
    await using seen = collect(log, LOG_START);
    await seen.caughtUp();
    await append('job-a.1');
    await seen.count(1);

    await terminateOthers(database);
    await append('job-a.2');
    await seen.count(2);

    expect(seen.events.map(({ stream }) => stream)).toEqual(['job-a.1', 'job-a.2']);
  });

  test('read pages of a log with few matches without stalling', async () => {
    await database.pool.query(
      `insert into events (position, recorded_at, revision, schema_version, stream, type, data, metadata)
       select nextval('events_position'), 0, 0, 1, 'job-b.' || n, 'Filler', '{}', '{"causationId":"x"}'
       from generate_series(1, 120000) n`,
    );
    await append('queue-a.x');
    await using seen = collect(log, LOG_START, { prefixes: ['queue-'] });

    const page = await log.readLog(LOG_START, 10, { prefixes: ['queue-'] });
    expect(page).toMatchObject({ events: [], caughtUp: false });
    expect(page.position).toBeGreaterThan(LOG_START);
    // Who asks for few pages must get through a large log.
    expect(page.position).toBeGreaterThanOrEqual(LOG_START + 50_000n);
    await seen.caughtUp();
    expect(seen.events.map(({ stream }) => stream)).toEqual(['queue-a.x']);
  });

  test('look no further than they must for a page of a log with many matches', async () => {
    await database.pool.query(
      `insert into events (position, recorded_at, revision, schema_version, stream, type, data, metadata)
       select nextval('events_position'), 0, 0, 1, 'job-b.' || n, 'Filler', '{}', '{"causationId":"x"}'
       from generate_series(1, 20000) n`,
    );
    await log.head();
    const queries = vi.spyOn(database.pool, 'query');
    const page = await log.readLog(LOG_START, 1_500, { prefixes: ['job-'] });
    const ranges = queries.mock.calls.flatMap(([query]: readonly unknown[]) => rangeOf(query));
    queries.mockRestore();
    expect(page.events).toHaveLength(1_500);
    expect(ranges).toEqual([3_000]);
  });

  test.each([
    ['a page', logPage({}), ['5', '1000', 100]],
    ['a page without content', logPage({ withoutContent: true }), ['5', '1000', 100]],
    ['a page of some streams', logPage({ prefixes: ['job-'] }), ['5', '1000', 100, ['job-']]],
  ])('find %s by the primary key', async (_, sql, values) => {
    await database.pool.query(
      `insert into events (position, recorded_at, revision, schema_version, stream, type, data, metadata)
       select nextval('events_position'), 0, 0, 1, 'job-b.' || n, 'Filler', '{}', '{}'
       from generate_series(1, 20000) n`,
    );
    for (const statistics of ['', 'analyze events']) {
      if (statistics) await database.pool.query(statistics);
      const { rows } = await database.pool.query<{ 'QUERY PLAN': string }>(`explain ${sql}`, values);
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).toMatch(/Index Scan.* events_pkey/);
      expect(plan).not.toContain('Seq Scan');
    }
  });
});

/** How many positions a statement that reads a page of the log may look at. */
function rangeOf(query: unknown): readonly number[] {
  const { text, values } = query as { readonly text?: string; readonly values?: readonly string[] };
  if (text !== logPage({ prefixes: ['job-'] })) return [];
  return [Number(values?.[1]) - Number(values?.[0])];
}

async function otherProcess(url: string): Promise<AsyncDisposable & { readonly log: PostgresEventLog }> {
  const pool = createPool({ connectionString: url });
  const log = createPostgresEventLog({ pool });
  return {
    log,
    async [Symbol.asyncDispose]() {
      await log.close();
      await pool.end();
    },
  };
}

async function terminateOthers(database: TestDatabase): Promise<void> {
  await database.pool.query(
    `select pg_terminate_backend(pid)
     from pg_stat_activity
     where datname = current_database()
       and pid <> pg_backend_pid()`,
  );
}
