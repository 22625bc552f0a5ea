import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Handlers, type JobsClient, JobsWorker, ReleaseError } from '../../src/sdk/index.ts';
import { verifyAll } from '../support/audit.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { apiKey, clientOf, type RunningService, startServer } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;
let server: RunningService;
let client: JobsClient;
let key: string;

beforeAll(async () => {
  database = await createDatabase();
  key = await apiKey(database.pool);
  server = await startServer({ DATABASE_URL: database.url });
  client = clientOf(server.url, key);
});

afterAll(async () => {
  expect(await verifyAll(database.url)).toEqual({});
  await server[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

type AnyJob = Readonly<Record<string, { payload: unknown; result: unknown }>>;
type Handler = Handlers<AnyJob>[string];

const work = (type: string, handler: Handler, options: { leaseMs?: number; workerId?: string } = {}) =>
  new JobsWorker<AnyJob>({
    connection: { url: server.url, apiKey: key },
    handlers: { [type]: handler },
    ...options,
  }).start();

const becomes = (id: string, status: string) =>
  waitUntil(`${id} is ${status}`, async () => {
    const job = await client.get(id);
    return job.status === status && job;
  });

async function historyOf(id: string): Promise<readonly string[]> {
  const events: string[] = [];
  for await (const { event } of client.history(id)) events.push(event);
  return events;
}

/** Of this many attempts, once the list has them all and the last one is over. */
const outcomesOf = (id: string, attempts: number) =>
  waitUntil('the last attempt is over', async () => {
    const outcomes = (await client.attempts(id)).map(({ outcome }) => outcome);
    return outcomes.length >= attempts && outcomes.at(-1) !== 'running' && outcomes;
  });

it('a job is enqueued, claimed, kept by heartbeat and completed', async () => {
  const finish = Promise.withResolvers<string>();
  await using worker = work('kept', () => finish.promise, {
    leaseMs: 5_000,
    workerId: 'keeper',
  });
  const { id } = await client.enqueue('kept', { to: 'ada' }, { tags: ['a'], priority: 2 });
  const running = await becomes(id, 'running');
  expect(running).toMatchObject({ attempt: 1, priority: 2, lease: { workerId: 'keeper' } });
  const since = Date.now();
  await waitUntil('the lease would have run out', async () => Date.now() - since > 6_000);
  expect((await client.get(id)).revision).toBe(running.revision);
  finish.resolve('ok');
  const done = await becomes(id, 'completed');
  expect(done).toMatchObject({ payload: { to: 'ada' }, result: 'ok', lease: null, spentAttempts: 0 });
  expect(await historyOf(id)).toEqual(['JobEnqueued', 'JobStarted', 'JobCompleted']);
  expect(await outcomesOf(id, 1)).toEqual(['completed']);
  await worker.stop();
});

it('a job that keeps failing becomes a dead letter; replayed with another payload it completes', async () => {
  await using worker = work('charge', (job) => {
    const { amount } = job.payload as { amount: number };
    if (amount < 0) throw new RangeError(`cannot charge ${amount}`);
    return { charged: amount };
  });
  const retry = { kind: 'fixed', delayMs: 10 } as const;
  const { id } = await client.enqueue('charge', { amount: -5 }, { maxAttempts: 2, retry });
  const dead = await becomes(id, 'dead_lettered');
  expect(dead).toMatchObject({
    spentAttempts: 2,
    lastError: { type: 'RangeError', message: 'cannot charge -5' },
  });
  const [group] = await waitUntil('it is listed', async () => {
    const groups = await client.deadLetters.groups({ type: 'charge' });
    return groups.length > 0 && groups;
  });
  expect(group).toMatchObject({ count: 1, errorType: 'RangeError', jobType: 'charge' });
  const fingerprint = group?.fingerprint ?? '';
  expect((await client.deadLetters.list({ fingerprint })).data).toMatchObject([{ jobId: id, attempts: 2 }]);
  await client.deadLetters.replay(id, { payload: { amount: 5 }, reason: 'sign corrected' });
  expect(await becomes(id, 'completed')).toMatchObject({ payload: { amount: 5 }, result: { charged: 5 } });
  expect(await historyOf(id)).toEqual([
    'JobEnqueued',
    ...['JobStarted', 'JobFailed', 'JobRetried'],
    ...['JobStarted', 'JobFailed', 'JobDeadLettered'],
    'DeadLetterReplayed',
    ...['JobStarted', 'JobCompleted'],
  ]);
  expect(await outcomesOf(id, 3)).toEqual(['failed', 'failed', 'completed']);
  await waitUntil('it is no dead letter any more', async () => {
    return (await client.deadLetters.list({ fingerprint })).data.length === 0;
  });
  await worker.stop();
});

it('a purged dead letter stays purged, with its reason', async () => {
  await using worker = work('broken', () => Promise.reject(new Error('never')));
  const { id } = await client.enqueue('broken', {}, { retry: { kind: 'none' } });
  await becomes(id, 'dead_lettered');
  await client.deadLetters.purge(id, 'nobody needs it');
  expect(await becomes(id, 'purged')).toMatchObject({ reason: 'nobody needs it' });
  await expect(client.deadLetters.replay(id)).rejects.toMatchObject({ status: 409 });
  await worker.stop();
});

it('a waiting job is cancelled at once, a running one through its signal', async () => {
  const waiting = await client.enqueue('cancelled', {});
  expect(await client.cancel(waiting.id, { reason: 'withdrawn' })).toMatchObject({ status: 'cancelled' });
  let why = '';
  await using worker = work(
    'cancelled',
    (_job, { signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          why = (signal.reason as { why: string }).why;
          reject(signal.reason);
        });
      }),
    { leaseMs: 5_000 },
  );
  const { id } = await client.enqueue('cancelled', {});
  await becomes(id, 'running');
  expect(await client.cancel(id, { graceMs: 60_000 })).toMatchObject({ status: 'running' });
  await becomes(id, 'cancelled');
  expect(why).toBe('cancel_requested');
  expect(await historyOf(id)).toEqual(['JobEnqueued', 'JobStarted', 'JobCancelRequested', 'JobCancelled']);
  expect(await historyOf(waiting.id)).toEqual(['JobEnqueued', 'JobCancelled']);
  await worker.stop();
});

it('a cancel that the worker ignores is forced after the grace', async () => {
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  await using worker = work('deaf', () => {
    started.resolve();
    return ended.promise;
  });
  const { id } = await client.enqueue('deaf', {});
  await started.promise;
  await client.cancel(id, { graceMs: 200 });
  await becomes(id, 'cancelled');
  ended.resolve();
  await worker.stop();
  expect(await historyOf(id)).toEqual(['JobEnqueued', 'JobStarted', 'JobCancelRequested', 'JobCancelled']);
});

it('a released job spends no attempt', async () => {
  let calls = 0;
  await using worker = work('released', (job) => {
    calls += 1;
    if (calls === 1) throw new ReleaseError('not now');
    return job.attempt;
  });
  const { id } = await client.enqueue('released', {}, { maxAttempts: 1 });
  expect(await becomes(id, 'completed')).toMatchObject({ result: 1, spentAttempts: 0 });
  expect(await outcomesOf(id, 2)).toEqual(['released', 'completed']);
  await worker.stop();
});
