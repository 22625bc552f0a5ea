import { JobsApiError, JobsClient, JobsConnectionError, JobsWorker } from '../../src/sdk/index.ts';
import { waitUntil } from './wait-until.ts';

/** Producers and workers over HTTP that go on whatever happens to the service. */
export interface Load {
  /** Idempotency keys of the jobs that were accepted, and the job that each one was answered with. */
  readonly accepted: ReadonlyMap<string, string>;
  /** How often each job's handler was called. */
  readonly runs: ReadonlyMap<string, number>;
  /** Answers that were neither success nor an invitation to try again: there must be none. */
  readonly surprises: readonly string[];
  /** Lets go on until this many more jobs were accepted. */
  more(jobs: number): Promise<void>;
  /** Ends the producers; every enqueue that was begun is seen through to its answer. */
  stopProducing(): Promise<void>;
  stopWorking(): Promise<void>;
}

export interface LoadOptions {
  readonly urls: readonly [string, ...string[]];
  readonly apiKey: string;
  readonly producers?: number;
  readonly workers?: number;
  /** Handlers fail their first attempt at every n-th job; 0 for none. Default 7. */
  readonly failEvery?: number;
  readonly leaseMs?: number;
}

/** An enqueue that is not answered by then is given up and reported. */
const ENQUEUE_WITHIN_MS = 120_000;

const BATCH_EVERY = 10;
export const LOAD_OPTIONS = { maxAttempts: 20, retry: { kind: 'fixed', delayMs: 100 } } as const;

export function startLoad(options: LoadOptions): Load {
  const { urls, apiKey, producers = 8, workers = 2, failEvery = 7, leaseMs = 5_000 } = options;
  const accepted = new Map<string, string>();
  const runs = new Map<string, number>();
  const surprises: string[] = [];
  const stop = new AbortController();
  const urlOf = (index: number) => urls[index % urls.length] ?? urls[0];

  async function produce(producer: number): Promise<void> {
    const client = new JobsClient({ url: urlOf(producer), apiKey, tries: 1, timeoutMs: 15_000 });
    for (let n = 0; !stop.signal.aborted; n += 1) {
      const key = `key-${producer}-${n}`;
      const number = producer * 1_000_000 + n;
      const ids = await enqueue(key, () =>
        n % BATCH_EVERY === BATCH_EVERY - 1 ? batch(client, key, number) : single(client, key, number),
      );
      for (const [index, id] of ids.entries()) accepted.set(index === 0 ? key : `${key}.${index}`, id);
    }
  }

  async function enqueue(key: string, once: () => Promise<readonly string[]>): Promise<readonly string[]> {
    const deadline = performance.now() + ENQUEUE_WITHIN_MS;
    for (;;) {
      try {
        return await once();
      } catch (error) {
        if (!mayPass(error) || performance.now() > deadline) {
          surprises.push(`${key}: ${error}`);
          return [];
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  const producing = Promise.all(Array.from({ length: producers }, (_, index) => produce(index)));
  const working = Array.from({ length: workers }, (_, index) =>
    new JobsWorker<{ load: { payload: { n: number }; result: { n: number } } }>({
      connection: { url: urlOf(index), apiKey },
      concurrency: 10,
      leaseMs,
      handlers: {
        load: async (job) => {
          runs.set(job.id, (runs.get(job.id) ?? 0) + 1);
          await new Promise((resolve) => setTimeout(resolve, job.payload.n % 5));
          if (job.attempt === 1 && job.payload.n % failEvery === 0) throw new Error('not the first time');
          return { n: job.payload.n };
        },
      },
    }).start(),
  );
  return {
    accepted,
    runs,
    surprises,
    async more(jobs) {
      const enough = accepted.size + jobs;
      await waitUntil(`${enough} jobs are accepted`, () => accepted.size >= enough, { timeoutMs: 120_000 });
    },
    async stopProducing() {
      stop.abort();
      await producing;
    },
    async stopWorking() {
      await Promise.all(working.map((worker) => worker.stop()));
    },
  };
}

async function single(client: JobsClient, key: string, n: number): Promise<readonly string[]> {
  return [(await client.enqueue('load', { n }, { ...LOAD_OPTIONS, idempotencyKey: key })).id];
}

/** All or none: these go another way into the log. */
async function batch(client: JobsClient, key: string, n: number): Promise<readonly string[]> {
  const jobs = Array.from({ length: 5 }, () => ({ type: 'load', payload: { n }, ...LOAD_OPTIONS }));
  const { results } = await client.enqueueBulk(jobs, { atomic: true, idempotencyKey: key });
  return results.map((result) => {
    if (result.status !== 'created') throw new Error(`an atomic batch answered ${result.status}`);
    return result.job.id;
  });
}

const mayPass = (error: unknown): boolean =>
  error instanceof JobsConnectionError ||
  (error instanceof JobsApiError && (error.status === 503 || error.code === 'idempotency-in-progress'));
