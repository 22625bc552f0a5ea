import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  FatalError,
  type JobsClient,
  JobsWorker,
  ReleaseError,
  RetryAfterError,
  type WorkerOptions,
} from '../../src/sdk/index.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { apiKey, clientOf, freePort, type RunningService, startServer } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

let database: TestDatabase;
let server: RunningService;
let key: string;
let client: JobsClient;

beforeAll(async () => {
  database = await createDatabase();
  server = await startServer({ DATABASE_URL: database.url, PORT: String(await freePort()) });
  key = await apiKey(database.pool);
  client = clientOf(server.url, key);
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

type Work = { [type: string]: { payload: unknown; result: unknown } };

const worker = (handlers: WorkerOptions<Work>['handlers'], options: Partial<WorkerOptions<Work>> = {}) =>
  new JobsWorker<Work>({ connection: { url: server.url, apiKey: key }, handlers, ...options }).start();

const reaches = (id: string, status: string) =>
  waitUntil(`${id} is ${status}`, async () => {
    const job = await client.get(id);
    return job.status === status && job;
  });

const inAnHour = (): string => new Date(Date.now() + 3_600_000).toISOString();

describe('a worker on the real service', () => {
  it('finishes every job of a thousand exactly once, with its result', async () => {
    const jobs = Array.from({ length: 1_000 }, (_, n) => ({ type: 'double', payload: { n } }));
    const { counts, results } = await client.enqueueBulk(jobs);
    expect(counts).toEqual({ created: 1_000, deduplicated: 0, rejected: 0 });
    const seen: number[] = [];
    const double = ({ payload }: { payload: unknown }) => {
      const { n } = payload as { n: number };
      seen.push(n);
      return n * 2;
    };
    await using _ = worker({ double }, { concurrency: 50 });
    await waitUntil('all are done', async () => (await client.stats()).counts.completed === 1_000);
    expect(seen.toSorted((a, b) => a - b)).toEqual(jobs.map((_, n) => n));
    const last = results.at(-1);
    expect(last?.status === 'created' && (await client.get(last.job.id)).result).toBe(1_998);
  });

  it('does as the errors of a handler say', async () => {
    const attempts: number[] = [];
    await using _ = worker({
      flaky: ({ attempt }) => {
        attempts.push(attempt);
        if (attempt === 1) throw new RetryAfterError(1, 'busy');
        if (attempts.length === 2) throw new ReleaseError('not my turn');
        return 'at last';
      },
      hopeless: () => {
        throw new FatalError('no such customer');
      },
    });
    const flaky = await client.enqueue('flaky', null);
    const hopeless = await client.enqueue('hopeless', null);
    expect(await reaches(flaky.id, 'completed')).toMatchObject({ result: 'at last', spentAttempts: 1 });
    // The released attempt was not spent.
    expect(attempts).toEqual([1, 2, 2]);
    expect(await reaches(hopeless.id, 'dead_lettered')).toMatchObject({
      spentAttempts: 1,
      lastError: { type: 'FatalError', message: 'no such customer' },
    });
  });

  it('fails what it cannot report, and only that', async () => {
    await using _ = worker({ report: ({ payload }) => 'x'.repeat(payload as number) });
    const options = { maxAttempts: 1 };
    const large = await client.enqueue('report', 300 * 1024, options);
    const small = await client.enqueue('report', 3, options);
    expect(await reaches(large.id, 'dead_lettered')).toMatchObject({
      lastError: { type: 'ResultNotAccepted' },
    });
    expect(await reaches(small.id, 'completed')).toMatchObject({ result: 'xxx' });
  });

  it('aborts a running handler when its job is cancelled', async () => {
    const started = Promise.withResolvers<void>();
    const hang = (_job: unknown, { signal }: { signal: AbortSignal }): Promise<never> =>
      new Promise((_, reject) => {
        started.resolve();
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    await using _ = worker({ hang }, { leaseMs: 5_000 });
    const { id } = await client.enqueue('hang', null);
    await started.promise;
    const asked = await client.cancel(id, { reason: 'withdrawn', graceMs: 60_000 });
    expect(asked.status).toBe('running');
    expect(await reaches(id, 'cancelled')).toMatchObject({ reason: 'withdrawn', spentAttempts: 0 });
  });

  it('gives back what it has not started when it stops', async () => {
    const gate = Promise.withResolvers<void>();
    const hold = () => gate.promise;
    const { results } = await client.enqueueBulk(
      Array.from({ length: 5 }, () => ({ type: 'hold', payload: null })),
    );
    const first = worker({ hold }, { concurrency: 1, prefetch: 4 });
    await waitUntil(
      'all are claimed',
      async () => (await client.list({ type: 'hold', status: ['running'] })).data.length === 5,
    );
    const stopped = first.stop();
    await waitUntil(
      'four are back',
      async () => (await client.list({ type: 'hold', status: ['queued'] })).data.length === 4,
    );
    gate.resolve();
    await stopped;
    await using _ = worker({ hold });
    for (const result of results) {
      if (result.status !== 'created') throw new Error('not created');
      expect(await reaches(result.job.id, 'completed')).toMatchObject({ spentAttempts: 0, attempt: 1 });
    }
  });

  it('survives a service that goes away and comes back', async () => {
    const env = { DATABASE_URL: database.url, PORT: new URL(server.url).port };
    await using _ = worker({ after: () => 'done' });
    await server.end('SIGKILL');
    const enqueued = clientOf(server.url, key, { tries: 20 }).enqueue('after', null);
    server = await startServer(env);
    expect(await reaches((await enqueued).id, 'completed')).toMatchObject({ result: 'done' });
  });
});

describe('a client on the real service', () => {
  it('answers one job to one name, however often and at once it is asked', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => client.enqueue('once', { n: 1 }, { idempotencyKey: 'order-7' })),
    );
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
  });

  it('follows the feed from the beginning into the present', async () => {
    const { id } = await client.enqueue('followed', null, { runAt: inAnHour() });
    const types: string[] = [];
    for await (const { event } of client.events({ after: '0', jobId: id })) {
      types.push(event.type);
      if (types.length === 1) await client.cancel(id);
      else break;
    }
    expect(types).toEqual(['eventzr.jobs.enqueued.v1', 'eventzr.jobs.cancelled.v1']);
  });

  it('travels in time', async () => {
    const { id, enqueuedAt } = await client.enqueue('traveller', 1, { runAt: inAnHour() });
    await client.amend(id, { payload: 2 }, 0);
    expect((await client.get(id)).payload).toBe(2);
    expect((await client.get(id, { revision: 0 })).payload).toBe(1);
    await expect(client.get(id, { asOf: new Date(Date.parse(enqueuedAt) - 1_000) })).rejects.toMatchObject({
      code: 'job-not-found',
    });
  });
});
