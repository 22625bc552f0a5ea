// The tenant that floods, as a process of its own: `node flood-writer.ts <jobs> <callers>`; each caller enqueues one bulk
// of 500 after the other, and comes back when it is told to. SERVICE_URL and API_KEY: over HTTP; DATABASE_URL: in process.
import { setTimeout as pause } from 'node:timers/promises';
import { createEngine } from '../../src/engine.ts';
import { JobsClient } from '../../src/sdk/index.ts';

/** How many were refused, and when all of them may fit. */
interface Refused {
  readonly jobs: number;
  readonly retryAfterMs: number;
}

const [jobs = 0, callers = 4] = process.argv.slice(2).map(Number);
const { DATABASE_URL, SERVICE_URL, API_KEY = '' } = process.env;
const enqueue = SERVICE_URL === undefined ? await overEngine() : overHttp(SERVICE_URL);
let next = 0;
const began = performance.now();
await Promise.all(
  Array.from({ length: callers }, async () => {
    while (next < jobs) {
      const from = next;
      next += 500;
      for (let left = Math.min(500, jobs - from); left > 0; ) {
        const refused = await enqueue(
          Array.from({ length: left }, () => ({ type: 'flood', payload: { at: 0 } })),
        );
        left = refused.jobs;
        if (left > 0) await pause(refused.retryAfterMs);
      }
    }
  }),
);
console.log(JSON.stringify({ seconds: (performance.now() - began) / 1_000 }));
process.exit(0);

async function overEngine() {
  const engine = await createEngine({ databaseUrl: DATABASE_URL ?? '', roles: new Set() });
  return async (flood: readonly { readonly type: string; readonly payload: unknown }[]): Promise<Refused> => {
    const results = await engine.enqueue('flood', flood);
    const refused = results.flatMap((result) => (result.kind === 'refused' ? [result] : []));
    return { jobs: refused.length, retryAfterMs: refused.at(-1)?.quota?.retryAfterMs ?? 1_000 };
  };
}

function overHttp(url: string) {
  const client = new JobsClient({ url, apiKey: API_KEY });
  return async (flood: readonly { readonly type: string; readonly payload: unknown }[]): Promise<Refused> => {
    const { counts } = await client.enqueueBulk(flood);
    return { jobs: counts.rejected, retryAfterMs: 100 };
  };
}
