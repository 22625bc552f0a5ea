import { PgBoss } from 'pg-boss';
import { payloadOf, type System } from '../system.ts';

const QUEUE = 'bench';

export function pgBoss(): System {
  let boss: PgBoss;
  return {
    name: 'pg-boss 12.35.0',
    async start({ postgres }) {
      boss = new PgBoss({ connectionString: postgres, max: 16 });
      boss.on('error', (error) => console.error('pg-boss', error));
      await boss.start();
      await boss.createQueue(QUEUE);
    },
    async stop() {
      await boss.stop({ graceful: true, timeout: 10_000 });
    },
    async enqueue(n) {
      await boss.send(QUEUE, payloadOf(n));
    },
    async enqueueBulk(numbers) {
      await boss.insert(
        QUEUE,
        numbers.map((n) => ({ data: payloadOf(n) })),
      );
    },
    async work(onJob, tuning) {
      const options =
        tuning === 'throughput'
          ? { batchSize: 2000, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true }
          : { batchSize: 100, pollingIntervalSeconds: 0.5 };
      for (let i = 0; i < 4; i += 1) {
        await boss.work<{ n: number }>(QUEUE, options, async (jobs) => {
          for (const job of jobs) onJob(job.data.n);
        });
      }
    },
    // A batch is completed after its handler returns; stop() waits for that.
    async settled() {
      await boss.offWork(QUEUE, { wait: true });
    },
  };
}
