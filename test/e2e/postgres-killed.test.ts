import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { expect, it } from 'vitest';
import { processIdentity } from '../../src/adapters/process/process-identity.ts';
import { ALL_RIGHT, allDone, audit, queueCounts, verifyAll } from '../support/audit.ts';
import { countInPostgres } from '../support/count-job-events.ts';
import { startLoad } from '../support/load.ts';
import { startServer } from '../support/running-service.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { waitUntil } from '../support/wait-until.ts';

it('loses nothing and doubles nothing when PostgreSQL or one of its processes is killed under load', async () => {
  await using place = await tempFolder();
  await using server = await startServer({ DATA_DIR: place.path });
  const pool = await openPool(place.path);
  const load = startLoad({ urls: [server.url], apiKey: server.devKey ?? '' });
  try {
    for (let kill = 0; kill < 3; kill += 1) {
      await load.more(100 + Math.floor(Math.random() * 400));
      process.kill(await postgresPid(place.path), 'SIGKILL');
      await load.more(100 + Math.floor(Math.random() * 400));
      // PostgreSQL ends all others then, and recovers: unlogged tables come back empty as well.
      await killBackend(pool);
    }
    await load.more(200);
    await load.stopProducing();
    await allDone(pool);
    await load.stopWorking();

    expect(load.surprises).toEqual([]);
    expect(new Set(load.accepted.values()).size).toBe(load.accepted.size);
    const counts = await countInPostgres(pool, 'dev');
    expect(audit(counts, 'dev', load.accepted.values())).toEqual(ALL_RIGHT);
    expect(await verifyAll(await databaseUrl(place.path), {})).toEqual({});
    const { maintained, counted } = await queueCounts(pool);
    expect(maintained).toEqual(counted);
    expect(counted).toEqual([
      { tenant_id: 'dev', queue: 'default', status: 'completed', jobs: load.accepted.size },
    ]);
    expect(server.output().match(/postgres.restarted/g)).toHaveLength(3);
    expect(await processIdentity(server.pid)).toBeDefined();
  } finally {
    await load.stopProducing();
    await server.end('SIGKILL');
    await load.stopWorking();
    await pool.end();
  }
}, 300_000);

async function openPool(dataDir: string): Promise<pg.Pool> {
  const pool = new pg.Pool({ connectionString: await databaseUrl(dataDir), max: 2 });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

async function databaseUrl(dataDir: string): Promise<string> {
  return (await readFile(`${dataDir}/database-url`, 'utf8')).trim();
}

/** Of the one that runs now: after a kill the file names the dead one for a moment. */
function postgresPid(dataDir: string): Promise<number> {
  return waitUntil('PostgreSQL runs', async () => {
    const file = await readFile(`${dataDir}/postgres/postmaster.pid`, 'utf8').catch(() => '');
    const pid = Number(file.split('\n')[0]);
    return pid > 0 && (await processIdentity(pid)) !== undefined && pid;
  });
}

/** One that writes the log. It may have gone by itself when the signal comes. */
async function killBackend(pool: pg.Pool): Promise<void> {
  await waitUntil('a backend is killed', async () => {
    const { rows } = await pool.query<{ pid: number }>(BACKEND).catch(() => ({ rows: [] }));
    const [backend] = rows;
    if (!backend) return false;
    try {
      return process.kill(backend.pid, 'SIGKILL');
    } catch {
      return false;
    }
  });
}

const BACKEND = `
select pid
from pg_stat_activity
where application_name = 'eventzr-jobs'
order by xact_start desc nulls last
limit 1`;
