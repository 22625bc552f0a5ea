import { setTimeout as pause } from 'node:timers/promises';
import { type ConnectionOptions, FatalError, JobsClient, JobsWorker } from './sdk/index.ts';

type DemoJobs = {
  'email.send': { payload: { to: string } };
  'report.render': { payload: { pages: number }; result: { bytes: number } };
  'webhook.deliver': { payload: { url: string } };
  'invoice.charge': { payload: { amount: number } };
};

const EMAILS = 20;
const REPORTS = 3;

/**
 * Something to look at: jobs that go well, take their time, fail and are tried again, or end as dead letters, and a
 * worker for them. Returns how to stop the worker.
 */
export async function startDemo(connection: ConnectionOptions): Promise<() => Promise<void>> {
  const client = new JobsClient<DemoJobs>(connection);
  await client.enqueueBulk([
    ...Array.from({ length: EMAILS }, (_, n) => ({
      type: 'email.send' as const,
      payload: { to: `reader${n}@example.com` },
    })),
    ...Array.from({ length: REPORTS }, (_, n) => ({
      type: 'report.render' as const,
      payload: { pages: n + 1 },
    })),
    { type: 'webhook.deliver', payload: { url: 'https://example.com/hook' }, maxAttempts: 5 },
    { type: 'invoice.charge', payload: { amount: 25 } },
    { type: 'invoice.charge', payload: { amount: -25 } },
  ]);
  const worker = new JobsWorker<DemoJobs>({
    connection,
    workerId: 'demo-worker',
    handlers: {
      'email.send': async (_job, { signal }) => {
        await pause(200, undefined, { signal });
      },
      'report.render': async (job, { signal }) => {
        await pause(job.payload.pages * 2_000, undefined, { signal });
        return { bytes: job.payload.pages * 40_000 };
      },
      'webhook.deliver': (job) => {
        if (job.attempt < 3) throw new Error(`${job.payload.url} answered 503`);
      },
      'invoice.charge': (job) => {
        if (job.payload.amount <= 0) throw new FatalError(`cannot charge ${job.payload.amount}`);
      },
    },
  });
  worker.start();
  return () => worker.stop();
}
