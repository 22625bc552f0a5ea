import { createEngine, type Engine } from '../../../src/engine.ts';
import type { JobsWorker } from '../../../src/sdk/worker.ts';
import { readModelsCurrent } from '../../read-models-current.ts';
import { payloadOf, type System } from '../system.ts';

const TENANT = 'bench';
type Jobs = { readonly bench: { readonly payload: { readonly n: number } } };

/** In process like the peers, with everything on: read models, timers, lease sweeper. */
export function eventzrJobs(): System {
  let engine: Engine;
  let workers: readonly JobsWorker<Jobs>[] = [];
  return {
    name: 'Eventzr Jobs',
    async start({ postgres }) {
      engine = await createEngine({ databaseUrl: postgres });
    },
    async stop() {
      await Promise.all(workers.map((worker) => worker.stop()));
      await engine.stop();
    },
    async enqueue(n) {
      await enqueue(engine, [n]);
    },
    enqueueBulk: (numbers) => enqueue(engine, numbers),
    async work(onJob, tuning) {
      const options =
        tuning === 'throughput' ? { concurrency: 500, prefetch: 500 } : { concurrency: 50, prefetch: 50 };
      workers = Array.from({ length: tuning === 'throughput' ? 2 : 1 }, () =>
        engine
          .worker<Jobs>({
            ...options,
            handlers: {
              bench: ({ payload }) => {
                onJob(payload.n);
              },
            },
          })
          .start(),
      );
    },
    async settled() {
      await Promise.all(workers.map((worker) => worker.stop()));
      workers = [];
    },
    readModelsCurrent: () => readModelsCurrent(engine),
  };
}

async function enqueue(engine: Engine, numbers: readonly number[]): Promise<void> {
  const results = await engine.enqueue(
    TENANT,
    numbers.map((n) => ({ type: 'bench', payload: payloadOf(n) })),
  );
  for (const { kind } of results) if (kind !== 'created') throw new Error(`a job was ${kind}`);
}
