import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createEnqueueJobs } from '../../src/commands/enqueue-jobs.ts';
import { LineProgress } from '../../src/commands/line-progress.ts';
import { Overtaker } from '../../src/commands/overtaker.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { prepareProjections } from '../../src/projections/prepare.ts';
import { readyJobs } from '../../src/projections/ready-jobs.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { CALLER, type DispatchProcess, dispatchProcess } from '../support/dispatch.ts';
import { holdTenant } from '../support/holding.ts';
import { mostRunning } from '../support/running-attempts.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;
let one: DispatchProcess;
let placed: bigint | undefined;
let looks: number;
let progress: LineProgress;
let overtaker: Overtaker;

beforeEach(async () => {
  database = await createDatabase();
  placed = 0n;
  looks = 0;
  one = dispatchProcess(database.pool, undefined, {
    readyQueue: (queue) => ({
      ...queue,
      placedThrough: async () => {
        looks += 1;
        return placed;
      },
    }),
  });
  progress = new LineProgress();
  overtaker = new Overtaker({ ...one, progress, wake: (lanes) => one.dispatcher.placed(lanes) });
});

afterEach(async () => {
  await one.close();
  await database[Symbol.asyncDispose]();
});

async function enqueue(tenantId: string, count: number): Promise<readonly string[]> {
  const { log, clock, ids } = one;
  const requests = Array.from({ length: count }, () => ({ type: 'test', payload: asJsonText('{}') }));
  const call = overtaker.enqueueJobs(createEnqueueJobs({ log, clock, ids }));
  const results = await call({ ...CALLER, tenantId }, requests);
  return results.map((result) => (result.kind === 'created' ? result.snapshot.jobId : ''));
}

const inLine = async () => {
  const { rows } = await database.pool.query<{ n: number }>('select count(*)::int as n from ready_jobs');
  return rows[0]?.n ?? 0;
};

it('a job is handed out before a projection that is behind has got to it, and only once', async () => {
  const [id] = await enqueue('small', 1);
  const [claim] = await one.claim({ waitMs: 20_000 });
  expect(claim?.snapshot.jobId).toBe(id);
  const acknowledge = overtaker.acknowledge(one.acknowledge);
  await acknowledge(CALLER, '*', [{ leaseToken: claim?.leaseToken ?? '', outcome: 'completed' }]);
  await one.projector.catchUp();
  expect(await one.claim({ max: 10 })).toEqual([]);
  expect(await mostRunning(one)).toEqual({ small: 1, 'small default': 1 });
});

it('a tenant overtakes with a few of its jobs only', async () => {
  // More may overtake the longer it takes: here it takes no time, however busy the machine.
  const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now());
  await enqueue('large', 100);
  clock.mockRestore();
  await waitUntil('some are in line', async () => (await inLine()) > 0);
  expect(await inLine()).toBeLessThan(20);
  await one.projector.catchUp();
  expect(await inLine()).toBe(100);
});

it('nothing is placed that the projection has placed, or while the line is filled anew', async () => {
  for (const through of [undefined, 1_000_000n]) {
    placed = through;
    looks = 0;
    await enqueue('small', 1);
    await waitUntil('it has looked', () => looks > 0);
  }
  placed = 0n;
  await enqueue('small', 1);
  await waitUntil('the last is in line', async () => (await inLine()) > 0);
  expect(await inLine()).toBe(1);
});

it('what this process knows to be far ahead of its projection is placed without asking', async () => {
  await prepareProjections(database.pool, [readyJobs({ clock: one.clock })]);
  await database.pool.query(LINED_UP);
  const head = await one.log.head();
  await one.enqueue(
    'large',
    Array.from({ length: 1_100 }, () => ({})),
  );
  progress.moved(head);
  const [id] = await enqueue('small', 1);
  const [claim] = await one.claim({ waitMs: 20_000 });
  expect(claim?.snapshot.jobId).toBe(id);
  expect(looks).toBe(0);
});

it('a projection that was late a moment ago is neither waited for nor asked', async () => {
  await prepareProjections(database.pool, [readyJobs({ clock: one.clock })]);
  await database.pool.query(LINED_UP);
  const begun = performance.now();
  const clock = vi.spyOn(performance, 'now').mockReturnValue(begun);
  await enqueue('small', 1);
  clock.mockReturnValue(begun + 100);
  await waitUntil('the first is in line', async () => (await inLine()) === 1);
  expect(looks).toBe(1);
  progress.moved(0n);
  await enqueue('small', 1);
  await waitUntil('the second is in line', async () => (await inLine()) === 2);
  clock.mockRestore();
  expect(looks).toBe(1);
});

it('what is overtaken goes on in smaller batches', async () => {
  const projection = readyJobs({ clock: one.clock, progress });
  const most = projection.mostEvents ?? 0;
  progress.moved(-1_000_000n);
  await enqueue('small', 1);
  expect(projection.mostEvents).toBeLessThan(most);
});

it('nothing known here is placed into a line that is being filled anew', async () => {
  const head = await one.log.head();
  await one.enqueue(
    'large',
    Array.from({ length: 1_100 }, () => ({})),
  );
  progress.moved(head);
  const tried = vi.spyOn(one.readyQueue, 'overtake');
  await enqueue('small', 1);
  await waitUntil('it has tried', () => tried.mock.results.length > 0);
  expect(await tried.mock.results[0]?.value).toBe(false);
  expect(await inLine()).toBe(0);
});

it('a slot is free before the projection has got to the end of its job', async () => {
  await holdTenant(one, 'small', { runningJobs: 1 });
  await one.enqueue('small', [{}, {}]);
  await one.projector.catchUp();
  const [first] = await one.claim();
  const acknowledge = overtaker.acknowledge(one.acknowledge);
  await acknowledge(CALLER, '*', [{ leaseToken: first?.leaseToken ?? '', outcome: 'completed' }]);
  expect(await one.claim({ waitMs: 20_000 })).toHaveLength(1);
  await one.projector.catchUp();
  const { rows } = await database.pool.query('select * from wrong_slot_counts(10)');
  expect(rows).toEqual([]);
  expect(await mostRunning(one)).toMatchObject({ small: 1 });
});

const LINED_UP = `
insert into projection_checkpoints_unlogged (projection, generation, position)
select projection, generation, 0
from projection_generations
where projection = 'ready-jobs'`;
