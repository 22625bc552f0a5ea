import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LeaderSettings, runAsLeader } from '../../src/adapters/postgres/leadership.ts';
import { pause } from '../../src/commands/pause.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { running } from '../support/running.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createDatabase();
});

afterAll(async () => {
  await database[Symbol.asyncDispose]();
});

const untilAborted = (signal: AbortSignal) => pause(60_000, signal);

/** A contender that notes when it leads. */
function contend(name: string, holder: string, settings: Partial<LeaderSettings> = {}) {
  const fences: bigint[] = [];
  const state = { leading: false, fences };
  const contender = running((signal) =>
    runAsLeader({
      pool: database.pool,
      holder,
      tryEveryMs: 20,
      ...settings,
      name,
      signal,
      async task(leading, fence) {
        fences.push(fence);
        state.leading = true;
        await untilAborted(leading);
        state.leading = false;
      },
    }),
  );
  return { ...contender, state };
}

describe('leadership', () => {
  it('is held by one of many, and handed over at once by a clean stop', async () => {
    // A lease that is not released outlasts every wait of this test.
    const contenders = ['one', 'two', 'three'].map((holder) => contend('clean', holder, { ttlMs: 600_000 }));
    const leader = await waitUntil('one leads', () => contenders.find(({ state }) => state.leading));
    expect(contenders.filter(({ state }) => state.leading)).toHaveLength(1);
    await leader[Symbol.asyncDispose]();
    const next = await waitUntil('another leads', () => contenders.find(({ state }) => state.leading));
    expect(next.state.fences[0]).toBeGreaterThan(leader.state.fences[0] ?? 0n);
    await Promise.all(contenders.map((contender) => contender[Symbol.asyncDispose]()));
  });

  it('passes to a standby when the lease of a killed holder expires', async () => {
    await database.pool.query(
      `insert into leader_leases values ('killed', 'gone', 41, clock_timestamp() + interval '200 ms')`,
    );
    await using standby = contend('killed', 'standby');
    await waitUntil('the standby leads', () => standby.state.leading);
    expect(standby.state.fences).toEqual([42n]);
  });

  it('is kept for as long as it is renewed', async () => {
    await using holder = contend('renewed', 'holder', { ttlMs: 3_000, renewEveryMs: 50 });
    await waitUntil('it leads', () => holder.state.leading);
    await using standby = contend('renewed', 'standby');
    const expiry = async () =>
      (await database.pool.query(`select expires_at from leader_leases where name = 'renewed'`)).rows[0]
        .expires_at;
    const first = await expiry();
    await waitUntil('the lease was renewed past two lives', async () => (await expiry()) - first > 6_000);
    expect(holder.state.fences).toEqual([1n]);
    expect(standby.state.leading).toBe(false);
  });

  it('is given up before it expires when the database does not answer', async () => {
    const holder = contend('stuck', 'holder', { ttlMs: 10_000, renewEveryMs: 50 });
    await waitUntil('it leads', () => holder.state.leading);
    const blocker = await database.pool.connect();
    try {
      await blocker.query('begin');
      await blocker.query(`select 1 from leader_leases where name = 'stuck' for update`);
      await waitUntil('it stops leading', () => !holder.state.leading);
      const { rows } = await blocker.query(
        `select expires_at > clock_timestamp() as valid from leader_leases where name = 'stuck'`,
      );
      expect(rows).toEqual([{ valid: true }]);
    } finally {
      await blocker.query('rollback');
      blocker.release();
    }
    await waitUntil('it leads again', () => holder.state.leading);
    expect(holder.state.fences).toEqual([1n, 2n]);
    await holder[Symbol.asyncDispose]();
  });

  it('is given up when the connection hangs for ever', async () => {
    let hanging = false;
    const pool = {
      query: (config: pg.QueryConfig) =>
        hanging ? new Promise(() => undefined) : database.pool.query(config),
    } as unknown as pg.Pool;
    const holder = contend('hanging', 'holder', { pool, ttlMs: 3_000, renewEveryMs: 50 });
    await waitUntil('it leads', () => holder.state.leading);
    hanging = true;
    await waitUntil('it stops leading', () => !holder.state.leading);
    await using standby = contend('hanging', 'standby');
    await waitUntil('the standby leads', () => standby.state.leading);
    expect(standby.state.fences).toEqual([2n]);
  });

  it('is lost by a holder whose lease someone else took', async () => {
    await using holder = contend('robbed', 'holder', { ttlMs: 3_000, renewEveryMs: 20 });
    await waitUntil('it leads', () => holder.state.leading);
    await database.pool.query(`update leader_leases set fence = 10, holder = 'thief' where name = 'robbed'`);
    await waitUntil('it leads anew, after the thief', () => holder.state.fences.length === 2);
    expect(holder.state.fences).toEqual([1n, 11n]);
  });

  it('rejects with what its task rejects with, and frees the lease', async () => {
    const settings = {
      pool: database.pool,
      holder: 'one',
      name: 'failing',
      signal: new AbortController().signal,
    };
    const failing = runAsLeader({ ...settings, task: () => Promise.reject(new Error('task failed')) });
    await expect(failing).rejects.toThrow('task failed');
    let fence = 0n;
    await runAsLeader({
      ...settings,
      waitMs: 0,
      async task(_, second) {
        fence = second;
      },
    });
    expect(fence).toBe(2n);
  });

  it('says who holds it to those who do not wait', async () => {
    await using holder = contend('taken', 'the holder');
    await waitUntil('it leads', () => holder.state.leading);
    const attempt = runAsLeader({
      pool: database.pool,
      holder: 'late',
      name: 'taken',
      waitMs: 0,
      signal: new AbortController().signal,
      task: untilAborted,
    });
    await expect(attempt).rejects.toMatchObject({ code: 'leadership_taken', holder: 'the holder' });
  });
});
