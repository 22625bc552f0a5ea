// The tenant that floods, as a process of its own: `node flood-writer.ts <jobs>`; bulks of 500 by four callers, who come
// back when they are told to.
import { setTimeout as pause } from 'node:timers/promises';
import { createEngine } from '../../src/engine.ts';

const jobs = Number(process.argv[2]);
const engine = await createEngine({ databaseUrl: process.env.DATABASE_URL ?? '', roles: new Set() });
let next = 0;
const began = performance.now();
await Promise.all(
  Array.from({ length: 4 }, async () => {
    while (next < jobs) {
      const from = next;
      next += 500;
      for (let left = Math.min(500, jobs - from); left > 0; ) left = await enqueue(left);
    }
  }),
);
console.log(JSON.stringify({ seconds: (performance.now() - began) / 1_000 }));
await engine.stop();
process.exit(0);

/** How many were refused, once all of them may fit. */
async function enqueue(count: number): Promise<number> {
  const flood = Array.from({ length: count }, () => ({ type: 'flood', payload: { at: 0 } }));
  const results = await engine.enqueue('flood', flood);
  const refused = results.flatMap((result) => (result.kind === 'refused' ? [result] : []));
  const last = refused.at(-1);
  if (last) await pause(last.quota?.retryAfterMs ?? 1_000);
  return refused.length;
}
