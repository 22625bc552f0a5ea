import { JobsWorker } from '../../src/sdk/index.ts';

/**
 * A worker for tests that kill it: its handlers say `started <job id>` and never end. Arguments: URL, API key, lease in
 * milliseconds.
 */
const [url = '', apiKey = '', leaseMs = ''] = process.argv.slice(2);

new JobsWorker<{ stuck: { payload: unknown } }>({
  connection: { url, apiKey },
  leaseMs: Number(leaseMs),
  workerId: 'doomed',
  handlers: {
    stuck: (job, { signal }) => {
      console.log(`started ${job.id}`);
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    },
  },
}).start();
