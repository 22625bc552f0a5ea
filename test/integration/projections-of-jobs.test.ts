import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createQueries } from '../../src/adapters/postgres/queries/queries.ts';
import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import { deadLettersProjection } from '../../src/projections/dead-letters.ts';
import { jobsProjection } from '../../src/projections/jobs.ts';
import type { Queries } from '../../src/projections/queries.ts';
import { queueStatsProjection } from '../../src/projections/queue-stats.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { completed, enqueued, started } from '../support/job-events.ts';
import {
  decodedJobEvent,
  type History,
  histories,
  interleave,
  jobIdOf,
  renamed,
} from '../support/job-histories.ts';
import { attemptRows, deadLetterRows, jobRows } from '../support/naive-read-models.ts';
import { Projected } from '../support/projected.ts';

let database: TestDatabase;
let projected: Projected;
let queries: Queries;
let once: Projected;

beforeAll(async () => {
  database = await createDatabase();
  // Before every run time of the generated jobs, so that rows are seen with the status they are stored with.
  queries = createQueries({ pool: database.pool, clock: { now: () => 0 } });
  const repeatable = [jobsProjection, deadLettersProjection];
  projected = await Projected.prepare(database.pool, repeatable);
  once = await Projected.prepare(database.pool, [...repeatable, queueStatsProjection]);
});
afterAll(() => database[Symbol.asyncDispose]());

let runs = 0;

interface Batching {
  readonly size: number;
  /** Events to go back and on from again, as after a crash that lost the last checkpoint. */
  readonly back: number;
}

const batchings = fc.array(fc.record({ size: fc.integer({ min: 1, max: 30 }), back: fc.nat({ max: 2 }) }), {
  minLength: 1,
  maxLength: 20,
});

const inputs = [histories, fc.infiniteStream(fc.nat({ max: 100 })), batchings] as const;

/** Batches of random sizes; some are applied again, also cut otherwise than the first time. */
async function applyInBatches(log: readonly DecodedEvent[], batchings: readonly Batching[]): Promise<void> {
  let at = 0;
  for (let turn = 0; at < log.length; turn += 1) {
    const { size, back } = batchings[turn % batchings.length] ?? { size: 1, back: 0 };
    await projected.apply(log.slice(at, at + size));
    if (back > 0) await projected.apply(log.slice(Math.max(0, at - back), at + Math.ceil(size / 2)));
    at += back > 0 ? Math.ceil(size / 2) : size;
  }
}

const byId = (a: { readonly jobId: string }, b: { readonly jobId: string }) => (a.jobId < b.jobId ? 1 : -1);

async function expectRowsOf(all: readonly History[]): Promise<void> {
  for (const tenantId of new Set(all.map((history) => history.tenantId))) {
    const mine = all.filter((history) => history.tenantId === tenantId);
    const jobs = jobRows(mine);
    const page = await queries.listJobs(tenantId, {}, { limit: 200 });
    expect(page.rows).toEqual(jobs.toSorted(byId));
    for (const history of mine) {
      expect(await queries.listAttempts(tenantId, history.jobId)).toEqual(attemptRows(history));
    }
    const dead = deadLetterRows(mine);
    const found = await queries.listDeadLetters(tenantId, {}, { limit: 200 });
    expect(found.rows.toSorted(byId)).toEqual(dead.toSorted(byId));
    const groups = await queries.groupDeadLetters(tenantId, {}, 200);
    const counts = Map.groupBy(dead, ({ type, error }) => `${type} ${error.fingerprint}`);
    expect(new Map(groups.map((group) => [`${group.jobType} ${group.fingerprint}`, group.count]))).toEqual(
      new Map([...counts].map(([key, rows]) => [key, rows.length])),
    );
    for (const { queue, counts } of await queries.listQueues(tenantId)) {
      const inQueue = jobs.filter((job) => job.queue === queue);
      for (const [status, count] of Object.entries(counts)) {
        expect([queue, status, count]).toEqual([
          queue,
          status,
          inQueue.filter((job) => job.status === status).length,
        ]);
      }
    }
  }
}

it('rows are what the jobs are, however the log is cut into batches and whatever is applied again', async () => {
  await fc.assert(
    fc.asyncProperty(...inputs, async (generated, picks, cuts) => {
      runs += 1;
      const all = renamed(generated, `-${runs}`);
      await applyInBatches(interleave(all, picks), cuts);
      await expectRowsOf(all);
    }),
    { numRuns: 40 },
  );
});

it('a large batch that comes again with more changes what is there and adds the rest', async () => {
  const tenantId = 'many';
  const life = (n: number) =>
    [enqueued(), started(), completed()].map((event, revision) =>
      decodedJobEvent(tenantId, jobIdOf(n), revision, event, 1_000 + revision),
    );
  const jobs = Array.from({ length: 600 }, (_, n) => life(n));
  await projected.apply(jobs.slice(0, 500).flatMap(([first]) => first ?? []));
  await projected.apply(jobs.flat());
  const { rows } = await database.pool.query(
    `select status, revision, count(*)::int as jobs from jobs where tenant_id = 'many' group by 1, 2`,
  );
  expect(rows).toEqual([{ status: 'completed', revision: 2, jobs: 600 }]);
  expect(await queries.listQueues(tenantId)).toMatchObject([{ counts: { completed: 600, queued: 0 } }]);
});

it('every row of every table is the same whether the log comes whole or event by event', async () => {
  await fc.assert(
    fc.asyncProperty(inputs[0], inputs[1], async (generated, picks) => {
      runs += 1;
      const log = interleave(generated, picks);
      const slowly = log.map((entry) => ({ ...entry, tenantId: `${entry.tenantId}-slow-${runs}` }));
      const whole = log.map((entry) => ({ ...entry, tenantId: `${entry.tenantId}-whole-${runs}` }));
      for (const event of slowly) await once.apply([event]);
      await once.apply(whole);
      expect(await everythingOf(`%-whole-${runs}`)).toEqual(await everythingOf(`%-slow-${runs}`));
    }),
    { numRuns: 20 },
  );
});

const VIEWS = [
  'jobs',
  'job_tags',
  'queue_counts',
  'job_attempts',
  'dead_letters',
  'dead_letter_groups',
  'queue_minutes',
  'queue_hours',
  'queue_stats_clock',
];

/** All rows of the tenants, which are told apart by what stands before the first dash. */
async function everythingOf(tenants: string): Promise<Readonly<Record<string, unknown>>> {
  const found: Record<string, unknown> = {};
  for (const view of VIEWS) {
    const { rows } = await database.pool.query(
      `select to_jsonb(t) || jsonb_build_object('tenant_id', split_part(tenant_id, '-', 1)) as row
      from ${view} as t where tenant_id like $1 order by 1`,
      [tenants],
    );
    found[view] = rows;
  }
  return found;
}
