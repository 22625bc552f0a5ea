// The tenant that floods, as a process of its own: `node flood-writer.ts <jobs>`; bulks of 500 by four callers.
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
      await engine.enqueue(
        'flood',
        Array.from({ length: Math.min(500, jobs - from) }, () => ({ type: 'flood', payload: { at: 0 } })),
      );
    }
  }),
);
console.log(JSON.stringify({ seconds: (performance.now() - began) / 1_000 }));
await engine.stop();
process.exit(0);
