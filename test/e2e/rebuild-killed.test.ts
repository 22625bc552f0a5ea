import { expect, it } from 'vitest';
import { createEngine } from '../../src/engine.ts';
import { ALL_RIGHT, auditLog, verifyAll } from '../support/audit.ts';
import { createDatabase } from '../support/database.ts';
import { startLoad } from '../support/load.ts';
import { logOf } from '../support/log-in-use.ts';
import { apiKey, clientOf, freePort, startServer } from '../support/running-service.ts';
import { waitUntil } from '../support/wait-until.ts';

const JOBS = 15_000;

it('a rebuild killed in the middle, under load, leaves the old view right and can be made again', async () => {
  await using database = await createDatabase();
  await fill(database.url);
  const env = { DATABASE_URL: database.url, PORT: String(await freePort()) };
  const key = await apiKey(database.pool);
  const operator = await apiKey(database.pool, '*');
  let server = await startServer(env);
  const load = startLoad({ urls: [server.url], apiKey: key, producers: 4, workers: 1 });
  try {
    await load.more(50);
    const before = await generation();
    const holder = await database.pool.connect();
    try {
      // As long as the old tables cannot be retired, the rebuild is not over, however quick it is.
      await holder.query('begin');
      await holder.query(HOLD_LIVE);
      await clientOf(server.url, operator).projections.rebuild('jobs');
      await waitUntil('new tables are being filled', async () => (await building()) > 0, { everyMs: 1 });
      await server.end('SIGKILL');
    } finally {
      holder.release(true);
    }
    expect(await building()).toBe(1);
    server = await startServer(env);
    await load.more(50);
    expect(await generation()).toBe(before);
    expect(await verifyAll(database.url)).toEqual({});

    const { projections } = clientOf(server.url, operator);
    await waitUntil('it begins again', () => projections.rebuild('jobs').catch(() => undefined));
    const rebuilt = await waitUntil(
      'it is rebuilt',
      async () => {
        const { rebuild } = await projections.get('jobs');
        return rebuild?.finishedAt ? rebuild : undefined;
      },
      { timeoutMs: 120_000, everyMs: 100 },
    );
    expect(rebuilt).toMatchObject({ phase: 'done', outcome: 'swapped', differences: 0, error: null });
    expect(await building()).toBe(0);
    expect(await generation()).not.toBe(before);
    await load.more(50);
    await load.stopProducing();
    await load.stopWorking();
    expect(load.surprises).toEqual([]);
    expect((await auditLog(database.pool, 'acme', load.accepted.values())).missing).toEqual(
      ALL_RIGHT.missing,
    );
    expect(await verifyAll(database.url)).toEqual({});
  } finally {
    await load.stopProducing();
    await server.end('SIGKILL');
    await load.stopWorking();
  }

  async function building(): Promise<number> {
    const { rows } = await database.pool.query(
      `select from projection_generations where projection = 'jobs' and status = 'building'`,
    );
    return rows.length;
  }

  async function generation(): Promise<number | undefined> {
    const { rows } = await database.pool.query<{ generation: number }>(
      `select generation from projection_generations where projection = 'jobs' and status = 'live'`,
    );
    return rows[0]?.generation;
  }
}, 300_000);

const HOLD_LIVE = `
select generation
from projection_generations
where projection = 'jobs' and status = 'live'
for share`;

/** Enough that a rebuild takes a while. */
async function fill(databaseUrl: string): Promise<void> {
  await using engine = await createEngine({ databaseUrl, ...logOf(databaseUrl), roles: new Set() });
  for (let at = 0; at < JOBS; at += 1_000) {
    const jobs = Array.from({ length: 1_000 }, (_, n) => ({
      type: 'filler',
      queue: 'filler',
      payload: { n: at + n },
    }));
    await engine.enqueue('acme', jobs);
  }
}
