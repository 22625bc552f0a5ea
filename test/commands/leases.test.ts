import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { beat, claimed, claimOne, rowsOf, say, untilJob } from '../support/attempting.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import {
  CALLER,
  type DispatchProcess,
  dispatchProcess,
  emptyUnloggedTables,
  type MovableClock,
  movableClock,
} from '../support/dispatch.ts';
import { running } from '../support/running.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;
let clock: MovableClock;
let one: DispatchProcess;

beforeEach(async () => {
  database = await createDatabase();
  clock = movableClock();
  one = dispatchProcess(database.pool, clock);
});

afterEach(async () => {
  await one.close();
  await database[Symbol.asyncDispose]();
});

describe('leases', () => {
  it('run out: another worker gets the job, and the first one is told', async () => {
    const first = await claimed(one, { retry: { kind: 'fixed', delayMs: 0 } });
    const { jobId } = first.snapshot;
    clock.advance(30_001);
    await untilJob(one, jobId, { status: 'queued', spentAttempts: 1 });
    const second = await claimOne(one, 'another');
    expect(second.snapshot.job).toMatchObject({ attempt: 2, spentAttempts: 1 });
    expect(await beat(one, first)).toBe('lost');
    expect(await say(one, { leaseToken: first.leaseToken, outcome: 'completed' })).toEqual({
      kind: 'refused',
      reason: 'lease_lost',
    });
    expect(await beat(one, second)).toBe('extended');
    expect(await say(one, { leaseToken: second.leaseToken, outcome: 'completed' })).toMatchObject({
      status: 'completed',
    });
  });

  it('last as long as heartbeats come', async () => {
    const claim = await claimed(one);
    const others = await claimed(one);
    for (let i = 0; i < 3; i += 1) {
      clock.advance(20_000);
      expect(await beat(one, claim)).toBe('extended');
    }
    await untilJob(one, others.snapshot.jobId, { status: 'retrying' });
    expect((await one.job('acme', claim.snapshot.jobId)).status).toBe('running');
  });

  it('last their time without heartbeats although the reservation was shorter', async () => {
    const claim = await claimed(one);
    const shorter = await claimed(one);
    await database.pool.query('update leases set expires_at = 0 where job_id = $1', [claim.snapshot.jobId]);
    clock.advance(20_000);
    await using _sweeper = running(one.sweeper);
    await waitUntil('the sweeper has looked at both', async () => {
      const leases = await rowsOf(database.pool, 'leases');
      return leases.length === 2 && leases.every((lease) => Number(lease.expires_at) > clock.now());
    });
    for (const { snapshot } of [claim, shorter])
      expect((await one.job('acme', snapshot.jobId)).status).toBe('running');
  });

  it('survive that the tables are emptied: running jobs are not doubled, waiting ones are not lost', async () => {
    const claim = await claimed(one);
    const ids = await one.enqueue('acme', [{}, { runAt: clock.now() + 60_000 }, {}]);
    await one.projector.catchUp();
    await emptyUnloggedTables(database.pool);
    expect(await beat(one, claim)).toBe('extended');
    const two = dispatchProcess(database.pool, clock);
    await two.projector.catchUp();
    expect(await beat(two, claim)).toBe('extended');
    const [a, b, ...none] = [...(await two.claim({ max: 5 })), ...(await one.claim({ max: 5, waitMs: 100 }))];
    expect(none).toEqual([]);
    expect([a?.snapshot.jobId, b?.snapshot.jobId]).toEqual([ids[0], ids[2]]);
    clock.advance(60_001);
    await using _timers = running(two.timers);
    expect((await two.claim({ waitMs: 20_000 }))[0]?.snapshot.jobId).toBe(ids[1]);
    expect(await say(two, { leaseToken: claim.leaseToken, outcome: 'completed' })).toMatchObject({
      status: 'completed',
    });
    await two.close();
  });

  it('may be named twice in a heartbeat', async () => {
    const { leaseToken } = await claimed(one);
    await emptyUnloggedTables(database.pool);
    const { leases } = await one.heartbeat(CALLER, {
      workerId: 'worker',
      leases: [{ leaseToken }, { leaseToken }],
      leaseMs: 30_000,
    });
    expect(leases.map(({ status }) => status)).toEqual(['extended', 'extended']);
  });

  it('of a new process are known to one that starts later', async () => {
    const claim = await claimed(one);
    await one.enqueue('acme', [{}]);
    await one.projector.catchUp();
    const two = dispatchProcess(database.pool, clock);
    expect(await two.claim({ max: 5 })).toHaveLength(1);
    expect(await beat(two, claim)).toBe('extended');
    await two.close();
  });
});
