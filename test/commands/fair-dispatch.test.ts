import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Claim } from '../../src/commands/use-cases.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { CALLER, type DispatchProcess, dispatchProcess } from '../support/dispatch.ts';
import { holdTenant } from '../support/holding.ts';
import { running } from '../support/running.ts';
import { mostRunning } from '../support/running-attempts.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;
let processes: DispatchProcess[];

const one = (): DispatchProcess => {
  const [first] = processes;
  if (!first) throw new Error('no process');
  return first;
};

beforeEach(async () => {
  database = await createDatabase();
  processes = [dispatchProcess(database.pool)];
});

afterEach(async () => {
  for (const process of processes) await process.close();
  await database[Symbol.asyncDispose]();
});

const jobs = (count: number, job = {}) => Array.from({ length: count }, () => job);

/** Tenants a, b and c with weights 3:2:1 and more than enough jobs. */
async function contend(): Promise<void> {
  for (const [tenantId, weight] of [
    ['a', 3],
    ['b', 2],
    ['c', 1],
  ] as const) {
    await holdTenant(one(), tenantId, { weight });
    await one().enqueue(tenantId, jobs(700));
  }
  await one().projector.catchUp();
}

const tally = (tenants: readonly string[]) => ({
  a: tenants.filter((tenant) => tenant === 'a').length,
  b: tenants.filter((tenant) => tenant === 'b').length,
  c: tenants.filter((tenant) => tenant === 'c').length,
});

function expectShares({ a, b, c }: ReturnType<typeof tally>): void {
  const unit = (a + b + c) / 6;
  for (const [got, weight] of [
    [a, 3],
    [b, 2],
    [c, 1],
  ] as const) {
    expect(got).toBeGreaterThanOrEqual(0.9 * weight * unit);
    expect(got).toBeLessThanOrEqual(1.1 * weight * unit);
  }
}

describe('weights of 3:2:1', () => {
  it.each([1, 7, 120])('give these shares to claims of %i', async (max) => {
    await contend();
    const tenants: string[] = [];
    while (tenants.length < 600) {
      const claims = await one().claim({ max });
      expect(claims).toHaveLength(max);
      tenants.push(...claims.map(({ snapshot }) => snapshot.tenantId));
    }
    expectShares(tally(tenants));
  });

  it('give these shares to three processes that claim at once, each on its own', async () => {
    processes.push(dispatchProcess(database.pool), dispatchProcess(database.pool));
    await contend();
    const tenants: string[] = [];
    const worker = async (process: DispatchProcess, workerId: string) => {
      while (tenants.length < 900) {
        const max = 1 + Math.floor(Math.random() * 8);
        const claims = await process.claim({ workerId, max });
        tenants.push(...claims.map(({ snapshot }) => snapshot.tenantId));
      }
    };
    await Promise.all(
      processes.flatMap((process, p) => [worker(process, `w${p}`), worker(process, `x${p}`)]),
    );
    expectShares(tally(tenants));
  });

  it('reach a process that started before they were changed', async () => {
    await contend();
    await one().claim({ max: 6 });
    await holdTenant(one(), 'a', { weight: 1 });
    await holdTenant(one(), 'c', { weight: 3 });
    await one().projector.catchUp();
    // The round that was begun is ended first.
    await one().claim({ max: 6 });
    const claims = await one().claim({ max: 60 });
    expect(tally(claims.map(({ snapshot }) => snapshot.tenantId))).toEqual({ a: 10, b: 20, c: 30 });
  });
});

describe('a limit of running jobs', () => {
  it('is never passed and always reached by three processes whose jobs end at random', async () => {
    processes.push(dispatchProcess(database.pool), dispatchProcess(database.pool));
    await holdTenant(one(), 'acme', { runningJobs: 7 });
    await holdTenant(one(), 'wide', { runningJobs: 50 });
    await one().queueEvent('acme', 'mail', { type: 'QueueLimitChanged', data: { concurrencyLimit: 3 } });
    await one().enqueue('acme', [...jobs(150, { type: 'x' }), ...jobs(150, { queue: 'mail' })]);
    await one().enqueue('wide', jobs(200));
    await one().enqueue('free', jobs(100));
    await using _projector = running(one().projector.follow);
    await using _timers = running(one().timers);
    // Nothing ends before the limits are reached, by all three.
    const held: Claim[] = [];
    const fill = (upTo: number, queues?: readonly string[]) =>
      waitUntil('as many run as may', async () => {
        for (const process of processes) {
          held.push(...(await process.claim({ tenants: ['acme'], max: 1, ...(queues && { queues }) })));
        }
        return held.length >= upTo;
      });
    await fill(3, ['mail']);
    await fill(7);
    let unfinished = 600;
    const worker = async (process: DispatchProcess, workerId: string) => {
      while (unfinished > 0) {
        const max = 1 + Math.floor(Math.random() * 6);
        const claims = [...held.splice(0), ...(await process.claim({ workerId, max, waitMs: 50 }))];
        for (const { leaseToken } of claims.toSorted(() => Math.random() - 0.5)) {
          const outcome = Math.random() < 0.15 ? 'released' : 'completed';
          const acks =
            outcome === 'released'
              ? [{ leaseToken, outcome, reason: 'test' } as const]
              : [{ leaseToken, outcome } as const];
          await process.acknowledge(CALLER, '*', acks);
          if (outcome === 'completed') unfinished -= 1;
        }
      }
    };
    await Promise.all(
      processes.flatMap((process, p) => [0, 1, 2, 3].map((w) => worker(process, `w${p}${w}`))),
    );
    const most = await mostRunning(one());
    expect(most).toMatchObject({ acme: 7, 'acme mail': 3 });
    expect(most.wide).toBeLessThanOrEqual(50);
    const { rows } = await database.pool.query('select * from wrong_slot_counts(10)');
    expect(rows).toEqual([]);
  });

  it('that is lowered below what runs holds claims back until enough has ended', async () => {
    await one().enqueue('acme', jobs(10));
    await one().projector.catchUp();
    const held = await one().claim({ max: 5 });
    await holdTenant(one(), 'acme', { runningJobs: 2 });
    await one().projector.catchUp();
    const started: number[] = [];
    for (const { leaseToken } of held) {
      started.push((await one().claim({ max: 5 })).length);
      await one().acknowledge(CALLER, '*', [{ leaseToken, outcome: 'completed' }]);
      await one().projector.catchUp();
    }
    expect(started).toEqual([0, 0, 0, 0, 1]);
    await holdTenant(one(), 'acme', { runningJobs: 4 });
    await one().projector.catchUp();
    expect(await one().claim({ max: 5 })).toHaveLength(3);
    await holdTenant(one(), 'acme', { runningJobs: null });
    await one().projector.catchUp();
    expect(await one().claim({ max: 5 })).toHaveLength(1);
  });

  it('counts what ran before it was set, and again after it was lifted', async () => {
    await one().enqueue('acme', jobs(9));
    await one().projector.catchUp();
    await one().claim({ max: 2 });
    for (const [runningJobs, gets] of [
      [3, 1],
      [null, 2],
      [6, 1],
      [0, 0],
    ] as const) {
      await holdTenant(one(), 'acme', { runningJobs });
      await one().projector.catchUp();
      expect(await one().claim({ max: runningJobs === null ? 2 : 5 })).toHaveLength(gets);
    }
  });

  it('leaves the others what a tenant at its limit may not take', async () => {
    await holdTenant(one(), 'full', { runningJobs: 1, weight: 50 });
    await one().enqueue('full', jobs(20));
    await one().enqueue('other', jobs(20));
    await one().projector.catchUp();
    const claims = await one().claim({ max: 10 });
    const tenants = claims.map(({ snapshot }) => snapshot.tenantId);
    expect(tenants.filter((tenant) => tenant === 'full')).toHaveLength(1);
    expect(tenants.filter((tenant) => tenant === 'other')).toHaveLength(9);
  });

  it('lets a waiting claim have the slot as soon as it is free', async () => {
    await holdTenant(one(), 'acme', { runningJobs: 1 });
    await one().enqueue('acme', jobs(2));
    await using _projector = running(one().projector.follow);
    const [first] = await one().claim({ waitMs: 20_000 });
    const next = one().claim({ waitMs: 20_000 });
    await one().acknowledge(CALLER, '*', [{ leaseToken: first?.leaseToken ?? '', outcome: 'completed' }]);
    expect(await next).toHaveLength(1);
  });
});

describe('a suspended tenant', () => {
  const suspension = { mode: 'claims' } as const;

  it('gets nothing started, may finish what runs, and goes on when it is resumed', async () => {
    await one().enqueue('acme', jobs(3));
    await one().enqueue('other', jobs(3));
    await one().projector.catchUp();
    const [held] = await one().claim({ tenants: ['acme'] });
    await holdTenant(one(), 'acme', { suspension });
    await one().projector.catchUp();
    const claims = await one().claim({ max: 10 });
    expect(claims.map(({ snapshot }) => snapshot.tenantId)).toEqual(['other', 'other', 'other']);
    const [done] = await one().acknowledge(CALLER, '*', [
      { leaseToken: held?.leaseToken ?? '', outcome: 'completed' },
    ]);
    expect(done).toMatchObject({ kind: 'acknowledged' });
    await holdTenant(one(), 'acme', {});
    await one().projector.catchUp();
    expect(await one().claim({ max: 10 })).toHaveLength(2);
  });

  it('is resumed by time alone', async () => {
    await one().enqueue('acme', jobs(2));
    await holdTenant(one(), 'acme', {
      suspension: { ...suspension, until: one().clock.now() + 60_000 },
    });
    await one().projector.catchUp();
    expect(await one().claim({ max: 2 })).toEqual([]);
    one().clock.advance(60_001);
    expect(await one().claim({ max: 2 })).toHaveLength(2);
  });
});

it('a paused queue of one tenant holds neither its other queues nor the same queue of others', async () => {
  for (const tenant of ['acme', 'other']) {
    await one().enqueue(tenant, [{ queue: 'mail' }, { queue: 'slow' }]);
  }
  await one().queueEvent('acme', 'mail', { type: 'QueuePaused', data: {} });
  await one().projector.catchUp();
  const claims = await one().claim({ max: 10 });
  const places = claims.map(({ snapshot }) => `${snapshot.tenantId} ${snapshot.job.queue}`);
  expect(places.sort()).toEqual(['acme slow', 'other mail', 'other slow']);
});
