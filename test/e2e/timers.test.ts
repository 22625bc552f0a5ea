import { expect, it } from 'vitest';
import { JobsWorker } from '../../src/sdk/index.ts';
import { ALL_RIGHT, allDone, auditLog, verifyAll } from '../support/audit.ts';
import { createDatabase } from '../support/database.ts';
import { apiKey, clientOf, freePort, startServer } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

const JOBS = 10_000;

it('fires ten thousand timers that are due at once, each once, over a kill and a restart', async () => {
  await using database = await createDatabase();
  const key = await apiKey(database.pool);
  const env = { DATABASE_URL: database.url, PORT: String(await freePort()) };
  let server = await startServer(env);
  try {
    const client = clientOf(server.url, key, { timeoutMs: 120_000 });
    const dueAt = Date.now() + 12_000;
    const runAt = new Date(dueAt).toISOString();
    const ids: string[] = [];
    for (let at = 0; at < JOBS; at += 1_000) {
      const { results } = await client.enqueueBulk(
        Array.from({ length: 1_000 }, () => ({ type: 'timed', payload: {}, runAt })),
      );
      for (const result of results) if (result.status === 'created') ids.push(result.job.id);
    }
    expect(ids).toHaveLength(JOBS);
    await server.end('SIGKILL');
    server = await startServer(env);

    const early: number[] = [];
    let ran = 0;
    await using worker = new JobsWorker<{ timed: { payload: unknown } }>({
      connection: { url: server.url, apiKey: key },
      concurrency: 200,
      handlers: {
        timed: () => {
          ran += 1;
          if (Date.now() < dueAt) early.push(Date.now() - dueAt);
        },
      },
    }).start();
    await waitUntil('all have run', () => ran >= JOBS, { timeoutMs: 180_000 });
    await allDone(database.pool);
    await worker.stop();
    expect(early).toEqual([]);
    expect(ran).toBe(JOBS);
    expect(await auditLog(database.pool, 'acme', ids)).toEqual(ALL_RIGHT);
    expect(await verifyAll(database.url)).toEqual({});
  } finally {
    await server.end('SIGKILL');
  }
}, 400_000);
