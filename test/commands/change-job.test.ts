import { expect, test } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { systemIds } from '../../src/adapters/system.ts';
import { createAmendJob } from '../../src/commands/amend-job.ts';
import { createCancelJob } from '../../src/commands/cancel-job.ts';
import { createEnqueueJobs } from '../../src/commands/enqueue-jobs.ts';
import { createJobHandler } from '../../src/commands/job-handler.ts';
import { createLimitQueue } from '../../src/commands/limit-queue.ts';
import { createPauseQueue } from '../../src/commands/pause-queue.ts';
import { createPurgeDeadLetter } from '../../src/commands/purge-dead-letter.ts';
import { createReadJob } from '../../src/commands/read-job.ts';
import { createReplayDeadLetter } from '../../src/commands/replay-dead-letter.ts';
import { createResumeQueue } from '../../src/commands/resume-queue.ts';
import { createRetryJob } from '../../src/commands/retry-job.ts';
import type { JobCommand } from '../../src/domain/job/commands.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { caller, jobRequest } from '../support/caller.ts';

const START = Date.UTC(2026, 10, 21);

async function setUp() {
  let now = START;
  const clock = { now: () => now };
  const ids = systemIds();
  const log = createMemoryEventLog({ clock });
  const deps = { log, clock, ids, maxPayloadBytes: 100 };
  const [created] = await createEnqueueJobs(deps)(caller(), [jobRequest()]);
  if (created?.kind !== 'created') throw new Error('not created');
  const { jobId } = created.snapshot;
  const handler = createJobHandler(log);
  const work = async (command: JobCommand) => {
    const metadata = { ...caller(), causationId: ids.next(), occurredAt: now };
    const [answer] = await handler.handle([{ stream: jobStream('acme', jobId), command, metadata }]);
    expect(answer?.kind).toBe('accepted');
  };
  const start = () => work({ type: 'StartJob', workerId: 'w', leaseId: 'l', leaseMs: 1_000, at: now });
  const error = { type: 'Boom', message: 'no', fingerprint: 'f' };
  return {
    deps,
    jobId,
    start,
    async bury() {
      await start();
      await work({ type: 'FailJob', leaseId: 'l', error, fatal: true, jitter: 0, at: now });
    },
    later: (ms: number) => {
      now += ms;
    },
    readJob: createReadJob(deps),
  };
}

test('a waiting job is cancelled, and cancelling it again changes nothing', async () => {
  const { deps, jobId } = await setUp();
  const cancelJob = createCancelJob(deps);
  const first = await cancelJob(caller(), jobId, { reason: 'not needed' });
  expect(first).toMatchObject({
    kind: 'changed',
    snapshot: { revision: 1, job: { status: 'cancelled', reason: 'not needed' } },
  });
  const second = await cancelJob(caller(), jobId, {});
  if (second.kind === 'changed') expect(second.position).toBeUndefined();
  else expect(second.reason).toBe('job_finished');
});

test('a running job is asked to stop', async () => {
  const { deps, jobId, start } = await setUp();
  await start();
  const answer = await createCancelJob(deps)(caller(), jobId, { graceMs: 500 });
  expect(answer).toMatchObject({
    kind: 'changed',
    snapshot: { job: { status: 'running', cancelRequest: { forceAt: START + 500 } } },
  });
});

test('a change is refused when the job is not at the expected revision', async () => {
  const { deps, jobId } = await setUp();
  const amendJob = createAmendJob(deps);
  expect(await amendJob(caller(), jobId, { priority: 1, expectedRevision: 0 })).toMatchObject({
    kind: 'changed',
    snapshot: { revision: 1, job: { priority: 1 } },
  });
  expect(await amendJob(caller(), jobId, { priority: 2, expectedRevision: 0 })).toEqual({
    kind: 'refused',
    reason: 'revision_mismatch',
  });
});

test.each([
  [{ runAt: Date.UTC(1999, 0) }, 'run_at_out_of_range'],
  [{ payload: asJsonText(`"${'x'.repeat(100)}"`) }, 'payload_too_large'],
] as const)('changes keep to the limits of new jobs: %j', async (request, reason) => {
  const { deps, jobId } = await setUp();
  expect(await createAmendJob(deps)(caller(), jobId, request)).toEqual({ kind: 'refused', reason });
});

test.each(['other tenant', 'unknown id', 'no id'])('%s: the job is not found', async (whose) => {
  const { deps, jobId, readJob } = await setUp();
  const context = caller(whose === 'other tenant' ? 'umbrella' : 'acme');
  const id = { 'other tenant': jobId, 'unknown id': deps.ids.next(), 'no id': '\0' }[whose] ?? '';
  const notFound = { kind: 'refused', reason: 'job_not_found' };
  expect(await createCancelJob(deps)(context, id, {})).toEqual(notFound);
  expect(await createRetryJob(deps)(context, id, {})).toEqual(notFound);
  expect(await createAmendJob(deps)(context, id, { priority: 1 })).toEqual(notFound);
  expect(await createReplayDeadLetter(deps)(context, id, {})).toEqual(notFound);
  expect(await createPurgeDeadLetter(deps)(context, id, { reason: 'r', expectedRevision: 5 })).toEqual(
    notFound,
  );
  expect(await readJob(context.tenantId, id)).toBeUndefined();
});

test('a dead letter is replayed with an edited payload', async () => {
  const { deps, jobId, bury } = await setUp();
  const payload = asJsonText('{"to":"bob"}');
  expect(await createReplayDeadLetter(deps)(caller(), jobId, {})).toMatchObject({
    reason: 'not_dead_lettered',
  });
  await bury();
  expect(await createReplayDeadLetter(deps)(caller(), jobId, { payload, queue: 'slow' })).toMatchObject({
    kind: 'changed',
    snapshot: { job: { status: 'queued', payload, queue: 'slow', spentAttempts: 0 } },
  });
});

test('a purged job can still be read, now and as it was', async () => {
  const { deps, jobId, bury, readJob } = await setUp();
  await bury();
  await createPurgeDeadLetter(deps)(caller(), jobId, { reason: 'obsolete' });
  expect(await readJob('acme', jobId)).toMatchObject({ job: { status: 'purged', reason: 'obsolete' } });
  expect(await readJob('acme', jobId, { revision: 0 })).toMatchObject({
    revision: 0,
    job: { status: 'queued' },
  });
});

test('a job is read as it stood after an event, or at a time', async () => {
  const { deps, jobId, later, start, readJob } = await setUp();
  later(1_000);
  await start();
  later(1_000);
  await createCancelJob(deps)(caller(), jobId, {});
  const statusAt = async (at: Parameters<typeof readJob>[2]) =>
    (await readJob('acme', jobId, at))?.job.status;
  expect(await statusAt({ revision: 1 })).toBe('running');
  expect(await statusAt({ revision: 3 })).toBeUndefined();
  expect(await statusAt({ asOf: START - 1 })).toBeUndefined();
  expect(await statusAt({ asOf: START })).toBe('queued');
  expect(await statusAt({ asOf: START + 999 })).toBe('queued');
  expect(await statusAt({ asOf: START + 1_000 })).toBe('running');
  expect((await readJob('acme', jobId, { asOf: START + 1_999 }))?.revision).toBe(1);
  expect((await readJob('acme', jobId))?.revision).toBe(2);
});

test('a queue is paused, resumed and limited; saying it again writes nothing', async () => {
  const { deps } = await setUp();
  const steps = [
    () => createPauseQueue(deps)(caller(), 'mail', { reason: 'deploy' }),
    () => createLimitQueue(deps)(caller(), 'mail', { concurrencyLimit: 3 }),
    () => createResumeQueue(deps)(caller(), 'mail', {}),
  ];
  for (const step of steps) {
    expect((await step()).position).toBeTypeOf('bigint');
    expect((await step()).position).toBeUndefined();
  }
  expect((await deps.log.readStream('queue-acme.mail')).map(({ type }) => type)).toEqual([
    'QueuePaused',
    'QueueLimitChanged',
    'QueueResumed',
  ]);
});
