import { expect, test } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { systemIds } from '../../src/adapters/system.ts';
import { createEnqueueJobs } from '../../src/commands/enqueue-jobs.ts';
import { DEFAULT_MAX_ATTEMPTS, DEFAULT_RETRY } from '../../src/commands/job-defaults.ts';
import { createJobHandler } from '../../src/commands/job-handler.ts';
import { deriveJobId } from '../../src/commands/job-id.ts';
import { LOG_START } from '../../src/commands/ports.ts';
import { createReadJob } from '../../src/commands/read-job.ts';
import type { EnqueueRequest, EnqueueResult } from '../../src/commands/use-cases.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { caller, jobRequest } from '../support/caller.ts';

const NOW = Date.UTC(2026, 10, 21);
const ids = systemIds();

function setUp() {
  const clock = { now: () => NOW };
  const log = createMemoryEventLog({ clock });
  const enqueueJobs = createEnqueueJobs({ log, clock, ids, maxPayloadBytes: 1_000 });
  const cancel = async (jobId: string) => {
    const command = { type: 'CancelJob', graceMs: 0, at: NOW } as const;
    const metadata = { ...caller(), causationId: ids.next(), occurredAt: NOW };
    const stream = jobStream('acme', jobId);
    const [answer] = await createJobHandler(log).handle([{ stream, command, metadata }]);
    expect(answer?.kind).toBe('accepted');
  };
  const jobsInLog = async () =>
    (await log.readLog(LOG_START, 10_000)).events.filter(({ type }) => type === 'JobEnqueued');
  return { log, enqueueJobs, cancel, jobsInLog, readJob: createReadJob({ log }) };
}

const kinds = (results: readonly { kind: string }[]) => results.map(({ kind }) => kind);
const idsOf = (results: readonly EnqueueResult[]) =>
  results.map((result) => (result.kind === 'refused' ? undefined : result.snapshot.jobId));

test('a job is created with the defaults and the payload as it came', async () => {
  const { enqueueJobs, readJob } = setUp();
  const payload = asJsonText('{"n": 12345678901234567890, "b":1,"a":2}');
  const [result] = await enqueueJobs(caller(), [{ type: 'email.send', payload }]);
  if (result?.kind !== 'created') throw new Error(`not created: ${result?.kind}`);
  expect(result.snapshot.job).toMatchObject({
    status: 'queued',
    queue: 'default',
    priority: 5,
    maxAttempts: DEFAULT_MAX_ATTEMPTS,
    retry: DEFAULT_RETRY,
    tags: [],
    payload,
    runAt: NOW,
  });
  expect(await readJob('acme', result.snapshot.jobId)).toEqual(result.snapshot);
});

test('each job of a bulk has its own result, in the order of the requests', async () => {
  const { enqueueJobs, jobsInLog } = setUp();
  const results = await enqueueJobs(caller(), [
    jobRequest({ runAt: NOW + 60_000 }),
    jobRequest({ runAt: Number.NaN }),
    jobRequest({ payload: asJsonText(`"${'é'.repeat(600)}"`) }),
    jobRequest(),
  ]);
  expect(results).toMatchObject([
    { kind: 'created', snapshot: { job: { status: 'scheduled' } } },
    { kind: 'refused', reason: 'run_at_out_of_range' },
    { kind: 'refused', reason: 'payload_too_large' },
    { kind: 'created', snapshot: { job: { status: 'queued' } } },
  ]);
  expect(await jobsInLog()).toHaveLength(2);
});

test.each([
  Date.UTC(1999, 11, 31),
  NOW + 11 * 366 * 86_400_000,
  Date.UTC(275_000, 0),
  -1,
  Number.POSITIVE_INFINITY,
])('runAt %d is out of range', async (runAt) => {
  const results = await setUp().enqueueJobs(caller(), [jobRequest({ runAt })]);
  expect(results).toEqual([{ kind: 'refused', reason: 'run_at_out_of_range' }]);
});

/** The latest time that a Date can hold: nothing can be added to it. */
const LATEST = 8_640_000_000_000_000;

test('a deadline is after the start; one that has passed is taken, so that late repeats are answered as before', async () => {
  const { enqueueJobs } = setUp();
  const runAt = NOW + 60_000;
  expect(
    await enqueueJobs(caller(), [
      jobRequest({ runAt, deadlineAt: runAt }),
      jobRequest({ runAt, deadlineAt: runAt + 1 }),
      jobRequest({ deadlineAt: NOW - 1 }),
    ]),
  ).toMatchObject([
    { kind: 'refused', reason: 'run_at_out_of_range' },
    { kind: 'created' },
    { kind: 'created' },
  ]);
});

/** What the compiler does not see when a field comes from an `any`. */
const untyped = (request: object) => request as Partial<EnqueueRequest>;

test.each([
  untyped({ type: undefined }),
  untyped({ type: null }),
  untyped({ type: ['t'] }),
  untyped({ queue: null }),
  untyped({ queue: 7 }),
  untyped({ jobId: ['019340a1-7f3e-7000-8c11-2a3b4c5d6e7f'] }),
  { type: '' },
  { type: 'a\0b' },
  { queue: '../x' },
  { priority: 0 },
  { priority: 1.5 },
  { maxAttempts: 0 },
  { timeoutMs: Number.NaN },
  { tags: ['\0'] },
  { tags: ['\ud800'] },
  { dedupeKey: '' },
  { jobId: 'no-uuid' },
  { retry: { kind: 'fixed', delayMs: -1 } as const },
  { retry: { kind: 'fixed', delayMs: LATEST } as const },
  { retry: { kind: 'steps', stepsMs: [LATEST] } as const },
  { retry: { kind: 'exponential', baseMs: 1, factor: 10, maxMs: LATEST } as const },
  { timeoutMs: LATEST },
])('a malformed request throws and nothing is created: %j', async (wrong) => {
  const { enqueueJobs, jobsInLog } = setUp();
  await expect(enqueueJobs(caller(), [jobRequest(), jobRequest(wrong)])).rejects.toMatchObject({
    code: 'invalid_job',
    index: 1,
  });
  expect(await jobsInLog()).toHaveLength(0);
});

test('an atomic bulk with one refusal creates nothing and says which one is to blame', async () => {
  const { enqueueJobs, jobsInLog } = setUp();
  const results = await enqueueJobs(caller(), [jobRequest(), jobRequest({ runAt: 0 })], { atomic: true });
  expect(results).toEqual([
    { kind: 'refused', reason: 'batch_refused' },
    { kind: 'refused', reason: 'run_at_out_of_range' },
  ]);
  expect(await jobsInLog()).toHaveLength(0);
});

test('a job id that exists answers that job', async () => {
  const { enqueueJobs, jobsInLog } = setUp();
  const jobId = ids.next();
  const other = asJsonText('"other"');
  const first = await enqueueJobs(caller(), [jobRequest({ jobId })]);
  const second = await enqueueJobs(caller(), [jobRequest({ jobId, payload: other })]);
  expect(kinds([...first, ...second])).toEqual(['created', 'deduplicated']);
  expect(second).toMatchObject([{ snapshot: { jobId, job: { payload: '{"to":"ann"}' } } }]);
  const twice = ids.next();
  const both = await enqueueJobs(caller(), [jobRequest({ jobId: twice }), jobRequest({ jobId: twice })]);
  expect(kinds(both)).toEqual(['created', 'deduplicated']);
  expect(await jobsInLog()).toHaveLength(2);
});

test('the same job id of another tenant is another job', async () => {
  const { enqueueJobs, readJob } = setUp();
  const jobId = ids.next();
  await enqueueJobs(caller('acme'), [jobRequest({ jobId })]);
  expect(await readJob('umbrella', jobId)).toBeUndefined();
  expect(kinds(await enqueueJobs(caller('umbrella'), [jobRequest({ jobId })]))).toEqual(['created']);
});

test('a command that is repeated answers as the first time and creates nothing new', async () => {
  const { enqueueJobs, jobsInLog } = setUp();
  const commandId = ids.next();
  const requests = [jobRequest(), jobRequest({ dedupeKey: 'k' }), jobRequest({ dedupeKey: 'k' })];
  const first = await enqueueJobs(caller(), requests, { commandId });
  const second = await enqueueJobs(caller(), requests, { commandId });
  expect(kinds(first)).toEqual(['created', 'created', 'deduplicated']);
  expect(second).toEqual(first);
  expect(idsOf(first)[0]).toBe(deriveJobId(commandId, 0));
  expect(await jobsInLog()).toHaveLength(2);
});

test('a repeated command does not wake the jobs that were deduplicated, when their key is free again', async () => {
  const { enqueueJobs, cancel, jobsInLog } = setUp();
  const commandId = ids.next();
  const requests = [jobRequest({ dedupeKey: 'k' }), jobRequest({ dedupeKey: 'k' })];
  const [first] = idsOf(await enqueueJobs(caller(), requests, { commandId }));
  await cancel(first ?? '');
  const again = await enqueueJobs(caller(), requests, { commandId });
  expect(idsOf(again)).toEqual([first, first]);
  expect(await jobsInLog()).toHaveLength(1);
});

test('a dedupe key answers the first job while it is unfinished, and a new one after', async () => {
  const { enqueueJobs, cancel } = setUp();
  const keyed = [jobRequest({ dedupeKey: 'daily report' })];
  const [first] = await enqueueJobs(caller(), keyed);
  const [second] = await enqueueJobs(caller(), keyed);
  expect(kinds([first, second].flatMap((r) => r ?? []))).toEqual(['created', 'deduplicated']);
  if (first?.kind !== 'created' || second?.kind !== 'deduplicated') throw new Error('unexpected');
  expect(second.snapshot).toEqual(first.snapshot);
  await cancel(first.snapshot.jobId);
  const [third] = await enqueueJobs(caller(), keyed);
  expect(third).toMatchObject({ kind: 'created' });
  expect(idsOf(await enqueueJobs(caller(), keyed))).toEqual(idsOf([third].flatMap((r) => r ?? [])));
});

test('tenants do not share dedupe keys', async () => {
  const { enqueueJobs } = setUp();
  const keyed = [jobRequest({ dedupeKey: 'k' })];
  expect(kinds(await enqueueJobs(caller('acme'), keyed))).toEqual(['created']);
  expect(kinds(await enqueueJobs(caller('umbrella'), keyed))).toEqual(['created']);
});

test('keys may repeat inside one bulk, mixed with jobs without a key', async () => {
  const { enqueueJobs } = setUp();
  const keys = ['a', undefined, 'b', 'a', undefined, 'b', 'a'];
  const results = await enqueueJobs(
    caller(),
    keys.map((dedupeKey) => jobRequest({ dedupeKey })),
  );
  expect(kinds(results)).toEqual([
    'created',
    'created',
    'created',
    'deduplicated',
    'created',
    'deduplicated',
    'deduplicated',
  ]);
  const found = idsOf(results);
  expect(found[3]).toBe(found[0]);
  expect(found[6]).toBe(found[0]);
  expect(found[5]).toBe(found[2]);
  expect(new Set(found).size).toBe(4);
});

test('a key that is used a thousand times keeps a short stream', async () => {
  const { log, enqueueJobs, cancel } = setUp();
  for (let i = 0; i < 300; i += 1) {
    const [id] = idsOf(await enqueueJobs(caller(), [jobRequest({ dedupeKey: 'k' })]));
    await cancel(id ?? '');
  }
  const { events } = await log.readLog(LOG_START, 10_000, { prefixes: ['dedupe-acme.'] });
  expect(events.at(-1)?.revision).toBe(299);
  expect(events.length).toBeLessThanOrEqual(64);
});

test('a tenant id that would reach into the streams of another is refused', async () => {
  const { enqueueJobs, jobsInLog } = setUp();
  for (const tenantId of ['a.b', '', 'a\0', 'x'.repeat(65)]) {
    await expect(enqueueJobs(caller(tenantId), [jobRequest()])).rejects.toMatchObject({
      code: 'invalid_tenant',
    });
  }
  expect(await jobsInLog()).toHaveLength(0);
});
