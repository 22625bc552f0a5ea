import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { asJsonText } from '../../src/domain/json-text.ts';
import { beat, claimed, claimOne, ERROR, rowsOf, say, untilJob } from '../support/attempting.ts';
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

describe('acknowledging', () => {
  it('completes with the result as it came, once however often it is said', async () => {
    const { leaseToken, snapshot } = await claimed(one);
    const result = asJsonText('{"n": 1.0}');
    const first = await say(one, { leaseToken, outcome: 'completed', result });
    expect(first).toMatchObject({ kind: 'acknowledged', status: 'completed' });
    expect(await say(one, { leaseToken, outcome: 'completed', result })).toMatchObject({
      kind: 'acknowledged',
      status: 'completed',
    });
    expect((await one.job('acme', snapshot.jobId)).result).toBe(result);
    expect(await rowsOf(database.pool, 'leases')).toEqual([]);
  });

  it('says the same in a process that did not make the claim', async () => {
    const two = dispatchProcess(database.pool, clock);
    const { leaseToken } = await claimed(one);
    expect(await say(two, { leaseToken, outcome: 'failed', error: ERROR })).toMatchObject({
      kind: 'acknowledged',
      status: 'retrying',
    });
    expect(await say(one, { leaseToken, outcome: 'failed', error: ERROR })).toMatchObject({
      kind: 'acknowledged',
    });
    expect(await say(one, { leaseToken, outcome: 'completed' })).toEqual({
      kind: 'refused',
      reason: 'lease_lost',
    });
    await two.close();
  });

  it('refuses tokens of other tenants, of nobody and of no kind', async () => {
    const { leaseToken } = await claimed(one);
    const outcome = 'completed';
    const nobody = Buffer.from('acme.0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000.1.secret').toString('base64url');
    const results = await one.acknowledge(
      CALLER,
      ['other'],
      [
        { leaseToken, outcome },
        { leaseToken: nobody, outcome },
        { leaseToken: 'x', outcome },
      ],
    );
    const lost = { kind: 'refused', reason: 'lease_lost' };
    expect(results).toEqual([lost, lost, lost]);
    expect(await one.acknowledge(CALLER, '*', [{ leaseToken: nobody, outcome }])).toEqual([lost]);
    expect(await say(one, { leaseToken, outcome })).toMatchObject({ kind: 'acknowledged' });
  });

  it('retries a failed attempt when its time has come, and buries it after the last', async () => {
    const first = await claimed(one, { maxAttempts: 2, retry: { kind: 'fixed', delayMs: 60_000 } });
    const { jobId } = first.snapshot;
    const { leaseToken } = first;
    expect(await say(one, { leaseToken, outcome: 'failed', error: ERROR })).toMatchObject({
      status: 'retrying',
    });
    expect(await one.claim()).toEqual([]);
    clock.advance(60_001);
    await using _timers = running(one.timers);
    const [second] = await one.claim({ waitMs: 20_000 });
    expect(second?.snapshot.job).toMatchObject({ attempt: 2, spentAttempts: 1 });
    const last = await say(one, {
      leaseToken: second?.leaseToken ?? '',
      outcome: 'failed',
      error: { ...ERROR, message: 'it broke 42 times' },
    });
    expect(last).toMatchObject({ status: 'dead_lettered' });
    expect((await one.job('acme', jobId)).lastError?.fingerprint).toMatch(/^[0-9a-f]{16}$/);
    expect(await one.claim()).toEqual([]);
  });

  it('buries a fatal failure at once, and obeys the worker on when to retry', async () => {
    const fatal = await claimed(one);
    const { leaseToken } = fatal;
    expect(await say(one, { leaseToken, outcome: 'failed', error: ERROR, fatal: true })).toMatchObject({
      status: 'dead_lettered',
    });
    const later = await claimed(one);
    const saidAt = clock.now();
    const result = await say(one, {
      leaseToken: later.leaseToken,
      outcome: 'failed',
      error: ERROR,
      retryAfterMs: 50_000,
    });
    if (result?.kind !== 'acknowledged') throw new Error('refused');
    expect(result.runAt).toBeGreaterThanOrEqual(saidAt + 50_000);
    expect(result.runAt).toBeLessThanOrEqual(clock.now() + 50_000);
  });

  it('does not spend an attempt that is released, and offers the job again at once', async () => {
    const first = await claimed(one);
    await say(one, { leaseToken: first.leaseToken, outcome: 'released' });
    const second = await claimOne(one);
    expect(second.snapshot.job).toMatchObject({ attempt: 1, spentAttempts: 0 });
    expect(second.snapshot.jobId).toBe(first.snapshot.jobId);
    expect(await say(one, { leaseToken: first.leaseToken, outcome: 'completed' })).toMatchObject({
      reason: 'lease_lost',
    });
  });
});

describe('cancelling a running job', () => {
  it('reaches the worker with its heartbeat, and ends when the worker says so', async () => {
    const claim = await claimed(one);
    const { jobId } = claim.snapshot;
    await one.command('acme', jobId, {
      type: 'CancelJob',
      reason: 'wrong',
      graceMs: 60_000,
      at: clock.now(),
    });
    await one.projector.catchUp();
    expect(await beat(one, claim)).toBe('cancel_requested');
    expect(await say(one, { leaseToken: claim.leaseToken, outcome: 'cancelled' })).toMatchObject({
      status: 'cancelled',
    });
    expect(await rowsOf(database.pool, 'timers')).toEqual([]);
    expect(await rowsOf(database.pool, 'leases')).toEqual([]);
  });

  it('is forced when the worker does not answer in time', async () => {
    const claim = await claimed(one);
    const { jobId } = claim.snapshot;
    await one.command('acme', jobId, { type: 'CancelJob', graceMs: 5_000, at: clock.now() });
    await one.projector.catchUp();
    clock.advance(5_001);
    await untilJob(one, jobId, { status: 'cancelled' });
    expect(await beat(one, claim)).toBe('lost');
    expect(await rowsOf(database.pool, 'timers')).toEqual([]);
  });
});

describe('clocks of a job', () => {
  it('ends an attempt that takes too long although its heartbeats come', async () => {
    const claim = await claimed(one, { timeoutMs: 10_000, retry: { kind: 'fixed', delayMs: 60_000 } });
    clock.advance(9_000);
    expect(await beat(one, claim)).toBe('extended');
    clock.advance(1_001);
    await untilJob(one, claim.snapshot.jobId, { status: 'retrying', spentAttempts: 1 });
    expect(await beat(one, claim)).toBe('lost');
  });

  it('times an attempt out that a new process only knows from the log', async () => {
    const claim = await claimed(one, { timeoutMs: 10_000, retry: { kind: 'fixed', delayMs: 60_000 } });
    await emptyUnloggedTables(database.pool);
    const two = dispatchProcess(database.pool, clock);
    await two.projector.catchUp();
    clock.advance(10_001);
    await untilJob(two, claim.snapshot.jobId, { status: 'retrying', spentAttempts: 1 });
    await two.close();
  });

  it('buries a waiting job when its deadline passes, and never offers it again', async () => {
    const [jobId = ''] = await one.enqueue('acme', [{ deadlineAt: clock.now() + 5_000 }]);
    await one.projector.catchUp();
    clock.advance(5_001);
    expect(await one.claim()).toEqual([]);
    await untilJob(one, jobId, { status: 'dead_lettered', reason: 'deadline_passed' });
    expect(await rowsOf(database.pool, 'timers')).toEqual([]);
  });

  it('keeps a deadline through a retry that another process projects', async () => {
    const deadlineAt = clock.now() + 50_000;
    const claim = await claimed(one, { deadlineAt, retry: { kind: 'fixed', delayMs: 100_000 } });
    const two = dispatchProcess(database.pool, clock);
    await two.projector.skipToHead();
    const { leaseToken } = claim;
    await one.acknowledge(CALLER, '*', [{ leaseToken, outcome: 'failed', error: ERROR }]);
    await two.projector.catchUp();
    expect((await rowsOf(database.pool, 'timers')).map(({ kind }) => kind).sort()).toEqual([
      'deadline',
      'ready',
    ]);
    clock.advance(50_001);
    await untilJob(two, claim.snapshot.jobId, { status: 'dead_lettered' });
    await two.close();
  });

  it('makes 10,000 jobs ready when their time comes, none twice', async () => {
    const runAt = clock.now() + 60_000;
    const ids = await one.enqueue(
      'acme',
      Array.from({ length: 10_000 }, () => ({ runAt })),
    );
    await one.projector.catchUp();
    expect(await one.claim()).toEqual([]);
    clock.advance(60_001);
    await using _timers = running(one.timers);
    const claimedIds: string[] = [];
    while (claimedIds.length < ids.length) {
      const claims = await one.claim({ max: 1_000, waitMs: 20_000 });
      if (claims.length === 0) break;
      claimedIds.push(...claims.map((claim) => claim.snapshot.jobId));
    }
    expect(claimedIds.length).toBe(10_000);
    expect(new Set(claimedIds)).toEqual(new Set(ids));
  });
});
