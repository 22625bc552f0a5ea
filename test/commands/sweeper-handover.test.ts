import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { postgresHeartbeatPath } from '../../src/adapters/postgres/heartbeat-path.ts';
import { expireLeases } from '../../src/commands/expire-leases.ts';
import { type HeartbeatPath, signHeartbeats } from '../../src/commands/heartbeat-path.ts';
import type { ReadyQueue } from '../../src/commands/ready-queue.ts';
import { beat, claimed } from '../support/attempting.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import {
  type DispatchProcess,
  dispatchProcess,
  type MovableClock,
  movableClock,
} from '../support/dispatch.ts';
import { running } from '../support/running.ts';
import { waitUntil } from '../support/wait-until.ts';

/** Longer than any test waits: what is ended had none. */
const GRACE_MS = 600_000;

let database: TestDatabase;
let clock: MovableClock;
let one: DispatchProcess;
let looks = 0;
let isBroken = false;

const watched = (queue: ReadyQueue): ReadyQueue => ({
  ...queue,
  async expiredLeases(...args) {
    if (isBroken) throw new Error('connection lost');
    const expired = await queue.expiredLeases(...args);
    looks += 1;
    return expired;
  },
});

beforeEach(async () => {
  looks = 0;
  isBroken = false;
  database = await createDatabase();
  clock = movableClock();
  one = dispatchProcess(database.pool, clock, { readyQueue: watched });
});

afterEach(async () => {
  await one.close();
  await database[Symbol.asyncDispose]();
});

const path = (process: string) => postgresHeartbeatPath(database.pool, process);

const sweeperOf = (heartbeatPath?: HeartbeatPath) =>
  expireLeases({
    ...one,
    wake: () => {},
    everyMs: 5,
    graceMs: GRACE_MS,
    ...(heartbeatPath && { heartbeatPath }),
  });

/** A lease that is over before the next sweeper starts. */
async function leaseThatRanOut() {
  const claim = await claimed(one, { retry: { kind: 'fixed', delayMs: 60_000 } });
  clock.advance(30_001);
  return claim;
}

const looked = (times: number) => waitUntil('the sweeper has looked', () => looks >= times);

/** Lets a sweeper work until it has looked, so that another one can take over from it. */
async function sweepOnce(heartbeatPath: HeartbeatPath) {
  {
    await using _sweeper = running(sweeperOf(heartbeatPath));
    await looked(1);
  }
  looks = 0;
}

async function expectGrace(claim: Awaited<ReturnType<typeof claimed>>) {
  await looked(3);
  expect((await one.job('acme', claim.snapshot.jobId)).status).toBe('running');
  expect(await beat(one, claim)).toBe('extended');
}

describe('a sweeper that takes over', () => {
  it('ends at once what ran out when another process answered heartbeats all the time', async () => {
    await using _server = running(signHeartbeats(path('server')));
    await waitUntil('it signs', async () => (await signs('server')) > 0);
    await sweepOnce(path('dead leader'));
    const claim = await leaseThatRanOut();
    await using _sweeper = running(sweeperOf(path('next leader')));
    await waitUntil('the lease has expired', async () => {
      return (await one.job('acme', claim.snapshot.jobId)).status === 'retrying';
    });
  });

  it('gives a grace when all servers were away and one came back', async () => {
    await path('dead leader').sign(true);
    await sweepOnce(path('dead leader'));
    const claim = await leaseThatRanOut();
    await using _server = running(signHeartbeats(path('started again')));
    await waitUntil('it signs', async () => (await signs('started again')) > 1);
    await using _sweeper = running(sweeperOf(path('started again')));
    await expectGrace(claim);
  });

  it('gives a grace when the database was away for everybody', async () => {
    await path('server').sign(true);
    await sweepOnce(path('dead leader'));
    await database.pool.query(
      `update heartbeat_signs set since = since - interval '1 minute', seen_at = seen_at - interval '3.1 seconds'`,
    );
    const claim = await leaseThatRanOut();
    await path('server').sign(false);
    await using _server = running(async (signal) => {
      while (!signal.aborted) await path('server').sign(false);
    });
    await using _sweeper = running(sweeperOf(path('server')));
    await expectGrace(claim);
  });

  it('gives a grace when nobody has ever looked, or what was known is lost', async () => {
    await using _server = running(signHeartbeats(path('server')));
    await waitUntil('it signs', async () => (await signs('server')) > 0);
    await sweepOnce(path('dead leader'));
    await database.pool.query('truncate lease_looks');
    const claim = await leaseThatRanOut();
    await using _sweeper = running(sweeperOf(path('server')));
    await expectGrace(claim);
  });

  it('gives a grace after it has failed itself, though others answered heartbeats', async () => {
    await using _server = running(signHeartbeats(path('server')));
    await waitUntil('it signs', async () => (await signs('server')) > 0);
    const sweeper = sweeperOf(path('leader'));
    isBroken = true;
    await expect(sweeper(new AbortController().signal)).rejects.toThrow('connection lost');
    isBroken = false;
    const claim = await leaseThatRanOut();
    await using _sweeper = running(sweeper);
    await expectGrace(claim);
  });
});

describe('a process that signs', () => {
  it('counts from before the last look on, and no more once there was a break', async () => {
    const server = path('server');
    await server.sign(true);
    expect(await server.steady()).toEqual(new Map());
    await server.looked();
    expect(await server.steady()).toEqual(new Map([['server', 1]]));
    await server.sign(false);
    expect(await server.steady()).toEqual(new Map([['server', 2]]));
    await server.sign(true);
    expect(await server.steady()).toEqual(new Map());
    await server.looked();
    expect(await server.steady()).toEqual(new Map([['server', 3]]));
  });

  it('is forgotten a minute after its last sign', async () => {
    await path('gone').sign(true);
    await path('there').sign(true);
    await database.pool.query(
      `update heartbeat_signs set seen_at = seen_at - interval '61 seconds' where process = 'gone'`,
    );
    await path('there').looked();
    const { rows } = await database.pool.query('select process from heartbeat_signs');
    expect(rows).toEqual([{ process: 'there' }]);
  });
});

async function signs(process: string): Promise<number> {
  const { rows } = await database.pool.query('select signs from heartbeat_signs where process = $1', [
    process,
  ]);
  return Number(rows[0]?.signs ?? 0);
}
