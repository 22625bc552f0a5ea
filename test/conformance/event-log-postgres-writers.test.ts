import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createPostgresEventLog, type PostgresEventLog } from '../../src/adapters/postgres/event-log.ts';
import { createPool } from '../../src/adapters/postgres/pool.ts';
import {
  type AppendRequest,
  LogOverloadedError,
  LogUnavailableError,
  NO_STREAM,
} from '../../src/commands/ports.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { newEvent, newEvents, readAll, streamName } from './log-events.ts';
import { blockWriters, countingMetrics, waitingAppends } from './writers.ts';

describe('writers of the Postgres event log', () => {
  let database: TestDatabase;
  const logs: PostgresEventLog[] = [];

  beforeEach(async () => {
    database = await createDatabase();
  });
  afterEach(async () => {
    await Promise.all(logs.splice(0).map((log) => log.close()));
    await database[Symbol.asyncDispose]();
  });

  const open = (options: Partial<Parameters<typeof createPostgresEventLog>[0]> = {}) => {
    const log = createPostgresEventLog({ pool: database.pool, ...options });
    logs.push(log);
    return log;
  };
  const request = (stream: string, events = 1): AppendRequest => ({
    stream,
    expectedRevision: NO_STREAM,
    events: newEvents(events),
  });

  test('with the same streams in opposite order neither deadlock nor write a stream twice', async () => {
    const metrics = countingMetrics();
    const [left, right] = [open({ metrics }), open({ metrics })];
    for (let round = 0; round < 10; round += 1) {
      const names = Array.from({ length: 200 }, (_, index) => streamName(round * 200 + index));
      const [forwards, backwards] = await Promise.all([
        left.append(names.map((name) => request(name, 2))),
        right.append(names.toReversed().map((name) => request(name, 2))),
      ]);

      const winners = names.map((_, index) => {
        const kinds = [forwards[index]?.kind, backwards[names.length - 1 - index]?.kind];
        return kinds.filter((kind) => kind === 'appended').length;
      });
      expect(winners.every((count) => count === 1)).toBe(true);
    }
    expect(await readAll(left)).toHaveLength(10 * 200 * 2);
    expect(metrics.counted('event_log_append_retries')).toBe(0);
  });

  test('in many processes racing for one stream: one wins each round', async () => {
    const racers = Array.from({ length: 4 }, () => open());
    for (let round = 0; round < 10; round += 1) {
      const outcomes = await Promise.all(
        racers.flatMap((log) =>
          Array.from({ length: 5 }, () =>
            log.append([{ stream: 'job-a.1', expectedRevision: round - 1, events: newEvents(1) }]),
          ),
        ),
      );
      expect(outcomes.filter(([outcome]) => outcome?.kind === 'appended')).toHaveLength(1);
    }
    expect(await open().readStream('job-a.1')).toHaveLength(10);
  });

  test('are refused beyond the limit of pending events, and those accepted are written', async () => {
    const log = open({ maxPendingEvents: 100, maxBatchEvents: 10 });
    const accepted: Promise<unknown>[] = [];
    {
      await using _ = await blockWriters(database.pool);
      for (let index = 0; index < 100; index += 1) accepted.push(log.append([request(streamName(index))]));

      const refusal = await log.append([request('job-a.more')]).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(LogOverloadedError);
      expect(refusal).toMatchObject({ code: 'log_overloaded', retryAfterMs: expect.any(Number) });
    }
    await Promise.all(accepted);
    expect(await readAll(log)).toHaveLength(100);
    expect(await log.append([request('job-a.more')])).toMatchObject([{ kind: 'appended' }]);
  });

  test('are refused beyond the limit of pending bytes', async () => {
    const log = open({ maxPendingBytes: 10_000 });
    const blocked = await blockWriters(database.pool);
    const first = log.append([request('job-a.1')]);
    const big = { ...request('job-a.2'), events: [newEvent({ data: JSON.stringify('x'.repeat(20_000)) })] };

    await expect(log.append([big])).rejects.toBeInstanceOf(LogOverloadedError);
    await blocked[Symbol.asyncDispose]();
    expect(await first).toMatchObject([{ kind: 'appended' }]);
    expect(await log.append([big])).toMatchObject([{ kind: 'appended' }]);
  });

  test('whose session is killed in the middle of an append write it exactly once', async () => {
    const metrics = countingMetrics();
    const log = open({ metrics });
    const blocked = await blockWriters(database.pool);
    const appending = log.append([request('job-a.1', 2), request('job-a.2')]);
    for (const pid of await waitingAppends(database.pool)) {
      await database.pool.query('select pg_terminate_backend($1)', [pid]);
    }
    await blocked[Symbol.asyncDispose]();

    expect(await appending).toMatchObject([
      { kind: 'appended', revision: 1 },
      { kind: 'appended', revision: 0 },
    ]);
    expect(metrics.counted('event_log_append_retries')).toBeGreaterThan(0);
    expect(await readAll(log, 3)).toHaveLength(3);
  });

  test('whose answer is lost after the commit learn where their events stand', async () => {
    const log = open({ pool: losingFirstAnswer(database.pool) });

    const [outcome] = await log.append([request('job-a.1', 2)]);

    const stored = await log.readStream('job-a.1');
    expect(stored).toHaveLength(2);
    expect(outcome).toEqual({ kind: 'appended', revision: 1, position: stored[1]?.position });
  });

  test('get LogUnavailableError within the time allowed when there is no server', async () => {
    const pool = createPool({ connectionString: 'postgres://postgres@127.0.0.1:9/none' });
    const log = open({ pool, settleTimeoutMs: 200 });

    await expect(log.append([request('job-a.1')])).rejects.toBeInstanceOf(LogUnavailableError);
    await pool.end();
  });

  test('that send what Postgres refuses fail alone', async () => {
    const log = open();
    const bad = { ...request('job-a.bad'), events: [newEvent({ data: '"\u0000"' })] };
    const others = Array.from({ length: 20 }, (_, index) => log.append([request(streamName(index))]));
    const refused = log.append([bad]).catch((error: unknown) => error);

    expect(await refused).toMatchObject({ code: '22021' });
    expect((await Promise.all(others)).flat().every(({ kind }) => kind === 'appended')).toBe(true);
    expect(await readAll(log)).toHaveLength(20);
  });

  test('share calls when many append at once', async () => {
    const metrics = countingMetrics();
    const log = open({ metrics });

    await Promise.all(Array.from({ length: 400 }, (_, index) => log.append([request(streamName(index))])));

    expect(metrics.counted('event_log_append_events')).toBe(400);
    expect(metrics.counted('event_log_append_calls')).toBeLessThan(10);
  });

  test('stamp their events with the clock they are given', async () => {
    const log = open({ clock: { now: () => 1_234_567 } });
    await log.append([request('job-a.1')]);

    expect((await log.readStream('job-a.1'))[0]?.recordedAt).toBe(1_234_567);
  });

  test('are settled before the log is closed, and refused afterwards', async () => {
    const log = open();
    const appending = log.append([request('job-a.1')]);
    await log.close();

    expect(await appending).toMatchObject([{ kind: 'appended' }]);
    await expect(log.append([request('job-a.2')])).rejects.toBeInstanceOf(LogUnavailableError);
  });
});

/** Carries the first append out and then behaves as if the connection had broken before the answer came. */
function losingFirstAnswer(pool: pg.Pool): pg.Pool {
  let lost = false;
  return new Proxy(pool, {
    get(target, key) {
      if (key !== 'query') return Reflect.get(target, key, target);
      return async (query: { readonly name?: string }, values?: unknown[]) => {
        const result = await target.query(query as pg.QueryConfig, values);
        if (query.name !== 'append_events' || lost) return result;
        lost = true;
        throw new Error('Connection terminated unexpectedly');
      };
    },
  });
}
