import { expect, it } from 'vitest';
import { createPostgresEventLog } from '../../src/adapters/postgres/event-log.ts';
import { createRateBuckets } from '../../src/adapters/postgres/rate-buckets.ts';
import { createStageJobs, createStagingArea } from '../../src/adapters/postgres/staged-jobs.ts';
import { createStagedJobsRelay } from '../../src/adapters/postgres/staged-jobs-relay.ts';
import { systemIds } from '../../src/adapters/system.ts';
import { dedupeKeyCodec } from '../../src/commands/dedupe-key-codec.ts';
import { dedupeKeyHash } from '../../src/commands/dedupe-key-hash.ts';
import { createEnqueueJobs, createEnqueueStaged } from '../../src/commands/enqueue-jobs.ts';
import { jobCodec } from '../../src/commands/job-codec.ts';
import { NO_STREAM } from '../../src/commands/ports.ts';
import type { StagingArea } from '../../src/commands/staged-jobs.ts';
import { systemMetadata } from '../../src/commands/system-metadata.ts';
import { dedupeKeyStream } from '../../src/domain/dedupe-key/stream.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import { caller, jobRequest } from '../support/caller.ts';
import { createDatabase } from '../support/database.ts';
import { created, gated, HandClock, jobsIn, quotaEvents, wholeLog } from '../support/gated.ts';
import { termsOf } from '../support/quota-states.ts';
import { waitUntil } from '../support/wait-until.ts';

async function setUp() {
  const database = await createDatabase();
  const { pool } = database;
  const log = createPostgresEventLog({ pool });
  const clock = new HandClock();
  const ids = systemIds();
  const { gate, setTerms } = gated(log, clock, createRateBuckets(pool));
  const staged = async () =>
    (await pool.query<{ n: number }>('select count(*)::int as n from eventzr.staged_jobs')).rows[0]?.n;
  return {
    log,
    pool,
    setTerms,
    staged,
    enqueueJobs: (staging: StagingArea) => createEnqueueJobs({ log, clock, ids, gate, staging }),
    stageJobs: createStageJobs({ clock, ids, gate }),
    relay: createStagedJobsRelay({ pool, enqueue: createEnqueueStaged({ log }, clock) }),
    async [Symbol.asyncDispose]() {
      await log.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

const batch = [jobRequest(), jobRequest()];

it('an atomic batch is created under its reservation', async () => {
  await using world = await setUp();
  await world.setTerms(termsOf({ unfinishedJobs: 3 }));
  const enqueueJobs = world.enqueueJobs(createStagingArea(world.pool));
  const jobIds = created(await enqueueJobs(caller(), batch, { atomic: true }));
  expect(jobIds).toHaveLength(2);
  const [reserved] = await quotaEvents(world.log, 'QuotaReserved');
  expect(reserved?.data.jobIds).toEqual(jobIds);
  expect(await enqueueJobs(caller(), batch, { atomic: true })).toMatchObject([
    { reason: 'quota_exceeded' },
    { reason: 'quota_exceeded' },
  ]);
  expect(await jobsIn(world.log)).toBe(2);
  expect(await world.staged()).toBe(0);
});

it('an atomic batch whose process died is created by the relay under the same reservation', async () => {
  await using world = await setUp();
  await world.setTerms(termsOf({ unfinishedJobs: 3 }));
  const area = createStagingArea(world.pool);
  const dies: StagingArea = {
    ...area,
    async put(staged) {
      await area.put(staged);
      throw new Error('the process died');
    },
  };
  await expect(world.enqueueJobs(dies)(caller(), batch, { atomic: true })).rejects.toThrow('died');
  await world.pool.query('update eventzr.staged_jobs set due_at = now()');
  const stop = new AbortController();
  const running = world.relay.run(stop.signal);
  await waitUntil('the relay has moved the batch', async () => (await world.staged()) === 0);
  stop.abort();
  await running;
  const jobs = (await wholeLog(world.log)).filter(({ type }) => type === 'JobEnqueued');
  const [reserved] = await quotaEvents(world.log, 'QuotaReserved');
  expect(jobs).toHaveLength(2);
  for (const stored of jobs)
    expect(jobCodec.decode(stored)).toMatchObject({
      data: { reservationId: reserved?.data.reservationId },
    });
});

it('a job of an atomic batch that comes under the id its key names does not use the slot of another id', async () => {
  await using world = await setUp();
  await world.setTerms(termsOf({ unfinishedJobs: 5 }));
  const { tenantId } = caller();
  const [holder, at] = [systemIds().next(), Date.now()];
  const taken = { type: 'DedupeKeyTaken', data: { jobId: holder } } as const;
  await world.log.append([
    {
      stream: dedupeKeyStream(tenantId, dedupeKeyHash('k')),
      expectedRevision: NO_STREAM,
      events: [dedupeKeyCodec.encode(taken, systemMetadata('test', tenantId, systemIds().next(), at))],
    },
  ]);
  const enqueueJobs = world.enqueueJobs(createStagingArea(world.pool));
  const jobs = [jobRequest({ dedupeKey: 'k' }), jobRequest()];
  const [first] = created(await enqueueJobs(caller(), jobs, { atomic: true }));
  expect(first).toBe(holder);
  const [reserved] = await quotaEvents(world.log, 'QuotaReserved');
  expect(reserved?.data.jobIds).not.toContain(holder);
  const [event] = await world.log.readStream(jobStream(tenantId, holder));
  expect(event && jobCodec.decode(event)?.data).not.toHaveProperty('reservationId');
});

it('jobs of a transaction are refused whole when there is no room, and nothing is put down', async () => {
  await using world = await setUp();
  await world.setTerms(termsOf({ unfinishedJobs: 2 }));
  await world.enqueueJobs(createStagingArea(world.pool))(caller(), [jobRequest()]);
  const reserved = await quotaEvents(world.log, 'QuotaReserved');
  expect(await world.stageJobs(world.pool, caller(), batch)).toMatchObject([
    { kind: 'refused', reason: 'quota_exceeded', quota: { limit: 'unfinishedJobs', value: 2 } },
    { kind: 'refused', reason: 'quota_exceeded' },
  ]);
  expect(await world.staged()).toBe(0);
  expect(await world.stageJobs(world.pool, caller(), [jobRequest()])).toMatchObject([{ kind: 'staged' }]);
  expect(await world.staged()).toBe(1);
  expect(await quotaEvents(world.log, 'QuotaReserved')).toEqual(reserved);
});

it('jobs of a transaction that never fit are told so', async () => {
  await using world = await setUp();
  await world.setTerms(termsOf({ unfinishedJobs: 1 }));
  const refused = { reason: 'batch_above_limit', quota: { limit: 'unfinishedJobs', value: 1, used: 2 } };
  expect(await world.stageJobs(world.pool, caller(), batch)).toMatchObject([refused, refused]);
  expect(await world.staged()).toBe(0);
});
