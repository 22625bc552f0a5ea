import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryRateBuckets } from '../../src/adapters/memory/rate-buckets.ts';
import { LineProgress } from '../../src/commands/line-progress.ts';
import { QuotaGate } from '../../src/commands/quota-gate.ts';
import type { UseCases } from '../../src/commands/use-cases.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { createUseCases } from '../../src/use-cases.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { CALLER, type DispatchProcess, dispatchProcess } from '../support/dispatch.ts';
import { running } from '../support/running.ts';
import { mostRunning } from '../support/running-attempts.ts';
import { waitUntil } from '../support/wait-until.ts';

const ACME = { ...CALLER, tenantId: 'acme' };

let database: TestDatabase;
let one: DispatchProcess;
let other: DispatchProcess;
let useCases: UseCases;
let failing: boolean;

// The projection stands still unless a test moves it.
beforeEach(async () => {
  database = await createDatabase();
  failing = false;
  one = dispatchProcess(database.pool, undefined, {
    readyQueue: (queue) => ({
      ...queue,
      placedThrough: async () => 0n,
      setQueue: async (...settings) => {
        if (failing) throw new Error('connection lost');
        return queue.setQueue(...settings);
      },
    }),
  });
  other = dispatchProcess(database.pool);
  const gate = new QuotaGate({ ...one, buckets: createMemoryRateBuckets(one.clock) });
  useCases = createUseCases({
    pool: database.pool,
    dispatch: one,
    dispatcher: one.dispatcher,
    progress: new LineProgress(),
    gate,
  });
});

afterEach(async () => {
  await one.close();
  await other.close();
  await database[Symbol.asyncDispose]();
});

const enqueue = (count: number) =>
  useCases.enqueueJobs(
    ACME,
    Array.from({ length: count }, () => ({ type: 'test', payload: asJsonText('{}') })),
  );

const inLine = (count: number) =>
  waitUntil(`${count} are in line`, async () => {
    const { rows } = await database.pool.query('select from ready_jobs');
    return rows.length === count;
  });

/** What two processes are handed out, one of which did not change the settings. */
const claimed = async (max = 5) => [...(await other.claim({ max })), ...(await one.claim({ max }))];

const complete = (leaseToken = '') =>
  useCases.acknowledge(CALLER, '*', [{ leaseToken, outcome: 'completed' }]);

async function expectRightCounts(): Promise<void> {
  const { rows } = await database.pool.query('select * from wrong_slot_counts(10)');
  expect(rows).toEqual([]);
}

describe('while the projection is behind', () => {
  it('a paused queue hands nothing out until it is resumed, and what runs may finish', async () => {
    await enqueue(2);
    await inLine(2);
    const [held] = await claimed(1);
    await inLine(0);
    await complete(held?.leaseToken);
    await useCases.pauseQueue(ACME, 'default', { reason: 'deploy' });
    await enqueue(3);
    await inLine(3);
    expect(await claimed()).toEqual([]);
    await useCases.resumeQueue(ACME, 'default', {});
    expect(await claimed(1)).toHaveLength(2);
    await useCases.pauseQueue(ACME, 'default', {});
    // Older events follow one after the other.
    await one.projector.catchUp();
    expect(await claimed()).toEqual([]);
  });

  it('a limited queue hands out as many as may run', async () => {
    await useCases.limitQueue(ACME, 'default', { concurrencyLimit: 2 });
    await enqueue(5);
    await inLine(5);
    expect(await claimed()).toHaveLength(2);
    await expectRightCounts();
    await useCases.limitQueue(ACME, 'default', { concurrencyLimit: 3 });
    expect(await claimed()).toHaveLength(1);
    await one.projector.catchUp();
    expect(await claimed()).toEqual([]);
    await expectRightCounts();
  });

  it.each(['claims', 'all'] as const)('a tenant suspended for %s is handed nothing', async (mode) => {
    await enqueue(2);
    await inLine(2);
    await useCases.suspendTenant(ACME, { mode, reason: 'unpaid' });
    expect(await claimed()).toEqual([]);
    await useCases.resumeTenant(ACME, {});
    expect(await claimed(1)).toHaveLength(2);
    await one.projector.catchUp();
  });
});

it('in the midst of claims no claim that begins after a pause was answered gets anything, and counts stay right', async () => {
  await useCases.limitQueue(ACME, 'default', { concurrencyLimit: 4 });
  await using _projector = running(one.projector.follow);
  await using _timers = running(one.timers);
  let changes = 0;
  let paused = false;
  let done = 0;
  const late: unknown[] = [];
  const work = async (process: DispatchProcess) => {
    while (changes < 30) {
      const [wasPaused, at] = [paused, changes];
      const claims = await process.claim({ max: 3, waitMs: 5 });
      if (wasPaused && paused && at === changes) late.push(...claims);
      for (const { leaseToken } of claims) await complete(leaseToken);
      done += claims.length;
    }
  };
  const change = async () => {
    for (; changes < 30; changes += 1) {
      const before = done;
      await enqueue(10);
      await waitUntil('some are done', () => done > before);
      await useCases.pauseQueue(ACME, 'default', {});
      paused = true;
      await enqueue(10);
      late.push(...(await one.claim({ max: 3, waitMs: 20 })));
      if (changes % 3 === 0) await useCases.suspendTenant(ACME, { mode: 'claims', reason: 'test' });
      paused = false;
      await useCases.resumeQueue(ACME, 'default', {});
      await useCases.resumeTenant(ACME, {});
    }
  };
  await Promise.all([change(), work(one), work(other), work(other)]);
  expect(late).toEqual([]);
  expect((await mostRunning(one))['acme default']).toBeLessThanOrEqual(4);
  await expectRightCounts();
});

describe('a change of a queue', () => {
  it('brings those before it along, of which nobody was told', async () => {
    await one.queueEvent('acme', 'default', { type: 'QueueLimitChanged', data: { concurrencyLimit: 1 } });
    await useCases.pauseQueue(ACME, 'default', {});
    await useCases.resumeQueue(ACME, 'default', {});
    await enqueue(3);
    await inLine(3);
    expect(await claimed()).toHaveLength(1);
    await one.projector.catchUp();
    expect(await claimed()).toEqual([]);
    await expectRightCounts();
  });

  it('is not undone by one before it that comes later', async () => {
    await useCases.pauseQueue(ACME, 'default', {});
    await useCases.limitQueue(ACME, 'default', { concurrencyLimit: 1 });
    const before = { tenantId: 'acme', queue: 'default', revision: 0, state: { concurrencyLimit: null } };
    await one.readyQueue.setQueue(before, one.clock.now());
    await useCases.resumeQueue(ACME, 'default', {});
    await one.readyQueue.setQueue({ ...before, revision: 1 }, one.clock.now());
    await enqueue(3);
    await inLine(3);
    expect(await claimed()).toHaveLength(1);
  });

  it('that claims were not told of is not answered, holds by the projection, and at once when repeated', async () => {
    failing = true;
    await expect(useCases.pauseQueue(ACME, 'default', {})).rejects.toThrow('connection lost');
    await expect(useCases.pauseQueue(ACME, 'mail', {})).rejects.toThrow('connection lost');
    failing = false;
    await enqueue(2);
    await inLine(2);
    expect(await useCases.pauseQueue(ACME, 'default', {})).toEqual({ position: undefined });
    expect(await claimed()).toEqual([]);
    await one.projector.catchUp();
    const { rows } = await database.pool.query(
      'select queue from queue_settings where paused order by queue',
    );
    expect(rows).toEqual([{ queue: 'default' }, { queue: 'mail' }]);
  });
});
