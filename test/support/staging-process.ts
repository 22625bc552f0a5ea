import pg from 'pg';
import { createEngine } from '../../src/engine.ts';
import { logOf } from './log-in-use.ts';

/**
 * A program that enqueues inside transactions of its own, for tests that kill it right after the commit. Arguments: URL
 * of the database, number of transactions. Says `committed <job id>` and `rolled back <job id>`.
 */
const [databaseUrl = '', count = ''] = process.argv.slice(2);

// No background work: the relay is somebody else's, as if this process had died before its own came to it.
const engine = await createEngine({ databaseUrl, ...logOf(databaseUrl), roles: new Set() });
const client = new pg.Client({ connectionString: databaseUrl });
await client.connect();
for (let n = 0; n < Number(count); n += 1) {
  await client.query('begin');
  await client.query('insert into public.orders (n) values ($1)', [n]);
  const [staged] = await engine.enqueue('acme', [{ type: 'order', payload: { n } }], { client });
  const undone = n % 3 === 0;
  await client.query(undone ? 'rollback' : 'commit');
  if (staged?.kind === 'staged') console.log(`${undone ? 'rolled back' : 'committed'} ${staged.jobId}`);
}
process.kill(process.pid, 'SIGKILL');
