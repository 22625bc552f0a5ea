import { createEngine } from '../../src/engine.ts';
import { logOf } from './log-in-use.ts';

/**
 * An engine that enqueues for acme as fast as it is let, and works on what comes, for tests that kill it. Arguments: URL
 * of the database. SIGINT ends the flood (says `dry`), SIGTERM the engine.
 */
const [databaseUrl = ''] = process.argv.slice(2);

const engine = await createEngine({ databaseUrl, ...logOf(databaseUrl) });
const worker = engine
  .worker<{ drop: { payload: unknown } }>({
    concurrency: 10,
    leaseMs: 2_000,
    handlers: { drop: () => undefined },
  })
  .start();

let flooding = true;
async function flood(size: number): Promise<void> {
  while (flooding) {
    const results = await engine.enqueue('acme', Array(size).fill({ type: 'drop' }));
    const refused = results.filter(({ kind }) => kind === 'refused').length;
    if (refused > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

process.once('SIGTERM', async () => {
  flooding = false;
  await worker.stop();
  await engine.stop();
});
process.once('SIGINT', () => {
  flooding = false;
});
console.log('flooding');
await Promise.all([1, 3, 7, 20].map(flood));
console.log('dry');
