import { expect, it } from 'vitest';
import { ALL_RIGHT, allDone, auditLog, queueCounts, verifyAll } from '../support/audit.ts';
import { createDatabase } from '../support/database.ts';
import { LOAD_OPTIONS, startLoad } from '../support/load.ts';
import { apiKey, clientOf, freePort, startServer } from '../support/running-service.ts';

it('loses nothing and doubles nothing when the server is killed under load, time and again', async () => {
  await using database = await createDatabase();
  const env = { DATABASE_URL: database.url, PORT: String(await freePort()) };
  const key = await apiKey(database.pool);
  let server = await startServer(env);
  const load = startLoad({ urls: [server.url], apiKey: key });
  try {
    for (let kill = 0; kill < 4; kill += 1) {
      await load.more(100 + Math.floor(Math.random() * 400));
      await server.end('SIGKILL');
      server = await startServer(env);
    }
    await load.more(200);
    await load.stopProducing();
    await allDone(database.pool);
    await load.stopWorking();

    expect(load.surprises).toEqual([]);
    expect(new Set(load.accepted.values()).size).toBe(load.accepted.size);
    expect(await auditLog(database.pool, 'acme', load.accepted.values())).toEqual(ALL_RIGHT);
    expect(await verifyAll(database.url)).toEqual({});
    const { maintained, counted } = await queueCounts(database.pool);
    expect(maintained).toEqual(counted);
    expect(counted).toEqual([
      { tenant_id: 'acme', queue: 'default', status: 'completed', jobs: load.accepted.size },
    ]);

    // What was answered once is answered the same for as long as keys are kept.
    expect(await repeatFirst(server.url, key)).toBe(load.accepted.get('key-0-0'));
  } finally {
    await load.stopProducing();
    await server.end('SIGKILL');
    await load.stopWorking();
  }
}, 300_000);

async function repeatFirst(url: string, key: string): Promise<string> {
  const options = { ...LOAD_OPTIONS, idempotencyKey: 'key-0-0' };
  return (await clientOf(url, key).enqueue('load', { n: 0 }, options)).id;
}
