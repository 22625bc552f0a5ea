import { Logger, makeWorkerUtils, type Runner, run, runMigrations, type WorkerUtils } from 'graphile-worker';
import { payloadOf, type System } from '../system.ts';

export function graphileWorker(): System {
  let utils: WorkerUtils;
  let runner: Runner | undefined;
  let url = '';
  const quiet = { logger: new Logger(() => () => {}) };
  return {
    name: 'graphile-worker 0.18.0',
    async start({ postgres }) {
      url = postgres;
      await runMigrations({ connectionString: url, ...quiet });
      utils = await makeWorkerUtils({ connectionString: url, maxPoolSize: 16, ...quiet });
    },
    async stop() {
      await runner?.stop();
      await utils.release();
    },
    async enqueue(n) {
      await utils.addJob('bench', payloadOf(n));
    },
    async enqueueBulk(numbers) {
      await utils.addJobs(numbers.map((n) => ({ identifier: 'bench', payload: payloadOf(n) })));
    },
    async work(onJob, tuning) {
      runner = await run({
        connectionString: url,
        ...quiet,
        concurrency: 24,
        maxPoolSize: 16,
        noHandleSignals: true,
        pollInterval: 1000,
        preset:
          tuning === 'throughput'
            ? { worker: { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } }
            : {},
        taskList: {
          bench: async (payload) => {
            onJob((payload as { n: number }).n);
          },
        },
      });
    },
    async settled() {
      await runner?.stop();
      runner = undefined;
    },
  };
}
