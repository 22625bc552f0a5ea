import { Queue, Worker } from 'bullmq';
import { payloadOf, type System } from '../system.ts';

export function bullMq(): System {
  let queue: Queue;
  let worker: Worker | undefined;
  let connection: { host: string; port: number; maxRetriesPerRequest: null };
  return {
    name: 'BullMQ 6.7.0 (Redis 7, AOF always)',
    async start({ redis }) {
      const url = new URL(redis);
      connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
      queue = new Queue('bench', { connection });
      await queue.waitUntilReady();
    },
    async stop() {
      await worker?.close();
      await queue.close();
    },
    async enqueue(n) {
      await queue.add('bench', payloadOf(n));
    },
    async enqueueBulk(numbers) {
      await queue.addBulk(numbers.map((n) => ({ name: 'bench', data: payloadOf(n) })));
    },
    async work(onJob) {
      worker = new Worker(
        'bench',
        async (job) => {
          onJob(job.data.n);
        },
        { connection, concurrency: 100 },
      );
      await worker.waitUntilReady();
    },
    async settled() {
      await worker?.close();
      worker = undefined;
    },
  };
}
