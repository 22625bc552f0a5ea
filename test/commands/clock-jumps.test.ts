import { afterEach, beforeEach, expect, it } from 'vitest';
import { expireLeases } from '../../src/commands/expire-leases.ts';
import type { ReadyQueue } from '../../src/commands/ready-queue.ts';
import { beat, claimed, say } from '../support/attempting.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { dispatchProcess, type MovableClock, movableClock } from '../support/dispatch.ts';
import { running } from '../support/running.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;
let clock: MovableClock;

beforeEach(async () => {
  database = await createDatabase();
  clock = movableClock();
});

afterEach(() => database[Symbol.asyncDispose]());

it('a queue that was at its limit when the clock went back gives jobs again as soon as it has room', async () => {
  const one = dispatchProcess(database.pool, clock);
  await one.queueEvent('acme', 'default', { type: 'QueueLimitChanged', data: { concurrencyLimit: 1 } });
  await one.projector.catchUp();
  const { leaseToken } = await claimed(one);
  const [second] = await one.enqueue('acme', [{ runAt: clock.now() - 7_200_000 }]);
  await one.projector.catchUp();
  expect(await one.claim()).toEqual([]);
  clock.advance(-3_600_000);
  await say(one, { leaseToken, outcome: 'completed' });
  const claims = await one.claim({ waitMs: 20_000 });
  expect(claims.map(({ snapshot }) => snapshot.jobId)).toEqual([second]);
  await one.close();
});

it('workers get time to be heard of after the machine has slept or the clock has leapt', async () => {
  let looks = 0;
  const readyQueue = (queue: ReadyQueue): ReadyQueue => ({
    ...queue,
    expiredLeases(...args) {
      looks += 1;
      return queue.expiredLeases(...args);
    },
  });
  const one = dispatchProcess(database.pool, clock, { readyQueue });
  const claim = await claimed(one);
  const lost = await claimed(one, { retry: { kind: 'fixed', delayMs: 60_000 } });
  const sweeper = expireLeases({ ...one, wake: () => {}, everyMs: 5, graceMs: 10_000 });
  await using _sweeper = running(sweeper);
  await waitUntil('the sweeper runs', () => looks > 0);
  clock.advance(60_000);
  const before = looks;
  await waitUntil('the sweeper has looked since, twice', () => looks > before + 2);
  expect(await beat(one, claim)).toBe('extended');
  // More than the grace, in steps that are no leaps.
  for (let i = 0; i < 3; i += 1) {
    clock.advance(4_000);
    const seen = looks;
    await waitUntil('the sweeper has looked since', () => looks > seen + 1);
  }
  await waitUntil('the silent worker has lost its job', async () => {
    const { status } = await one.job('acme', lost.snapshot.jobId);
    return status === 'retrying';
  });
  expect((await one.job('acme', claim.snapshot.jobId)).status).toBe('running');
  await one.close();
});

it('what claims were told is still swept away after the clock went back', async () => {
  let sweeps = 0;
  const readyQueue = (queue: ReadyQueue): ReadyQueue => ({
    ...queue,
    pruneArrivals(before) {
      sweeps += 1;
      return queue.pruneArrivals(before);
    },
  });
  const one = dispatchProcess(database.pool, clock, { readyQueue });
  await using _sweeper = running(expireLeases({ ...one, wake: () => {}, everyMs: 5 }));
  await waitUntil('it is swept', () => sweeps === 1);
  clock.advance(-86_400_000);
  await waitUntil('it is swept again', () => sweeps === 2, { timeoutMs: 10_000 });
  await one.close();
});
