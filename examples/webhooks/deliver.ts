// Delivers webhooks of all tenants: signed per Standard Webhooks, tried again while the receiver may recover.
import { Webhook } from 'standardwebhooks';
import { FatalError, JobsWorker, RetryAfterError } from '../../src/sdk/index.ts';
import { connection, SECRET, type WebhookJobs } from './webhook-job.ts';

const TARGET = process.env.WEBHOOK_URL ?? 'http://127.0.0.1:4100/';
const ANSWER_WITHIN_MS = 15_000;
const webhook = new Webhook(SECRET);

const worker = new JobsWorker<WebhookJobs>({
  connection,
  queues: ['webhooks'],
  concurrency: 20,
  leaseMs: Number(process.env.LEASE_MS ?? 30_000),
  onProblem: ({ what, error }) => console.error(what, error instanceof Error ? error.message : ''),
  handlers: {
    'webhook.deliver': async (job, { signal }) => {
      const { body, event } = job.payload;
      const now = new Date();
      const response = await fetch(TARGET, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          // The same for every try, so that the receiver can tell a repetition.
          'webhook-id': job.id,
          'webhook-timestamp': String(Math.floor(now.getTime() / 1_000)),
          'webhook-signature': webhook.sign(job.id, now, body),
          'webhook-event': event,
        },
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
      });
      await response.body?.cancel();
      const { status } = response;
      if (response.ok) return { status };
      const retryAfter = Number(response.headers.get('retry-after') ?? Number.NaN);
      if (status === 429 && retryAfter >= 0) throw new RetryAfterError(retryAfter * 1_000, 'asked to wait');
      // The receiver will say the same tomorrow.
      if (status < 500 && status !== 408 && status !== 429) throw new FatalError(`refused with ${status}`);
      throw new Error(`failed with ${status}`);
    },
  },
}).start();

console.log(`delivering to ${TARGET}`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void worker.stop());
