import { spawn } from 'node:child_process';
import { once } from 'node:events';
import pg from 'pg';
import { expect, it } from 'vitest';
import { createEngine } from '../../src/engine.ts';
import { ALL_RIGHT, allDone, auditLog } from '../support/audit.ts';
import { createDatabase } from '../support/database.ts';
import { logOf } from '../support/log-in-use.ts';
import { waitUntil } from '../support/wait-until.ts';

const PROGRAM = new URL('../support/staging-process.ts', import.meta.url).pathname;

it('what a transaction enqueued follows its fate, also when the program dies right after the commit', async () => {
  await using database = await createDatabase();
  await database.pool.query('create table public.orders (n int primary key)');
  const program = spawn(process.execPath, [PROGRAM, database.url, '60'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  program.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [, signal] = await once(program, 'close');
  expect(signal).toBe('SIGKILL');
  const committed = [...said.matchAll(/^committed (\S+)/gm)].map(([, id]) => id ?? '');
  expect(committed).toHaveLength(40);
  expect(said.match(/rolled back/g)).toHaveLength(20);

  // Two engines compete for what is left to relay; one goes away in the middle.
  const where = { databaseUrl: database.url, ...logOf(database.url) };
  await using stays = await createEngine(where);
  const leaves = await createEngine(where);
  const ran: unknown[] = [];
  stays
    .worker<{ order: { payload: { n: number } } }>({
      handlers: { order: (job) => void ran.push(job.payload.n) },
    })
    .start();
  await leaves.stop();
  await waitUntil('all have run', () => ran.length >= committed.length);
  await allDone(database.pool);
  expect(await auditLog(database.pool, 'acme', committed)).toEqual(ALL_RIGHT);
  const { rows } = await database.pool.query<{ n: number }>('select n from public.orders order by n');
  expect(ran.sort((a, b) => Number(a) - Number(b))).toEqual(rows.map(({ n }) => n));
}, 180_000);

it('a transaction that stays open for long holds nobody up', async () => {
  await using database = await createDatabase();
  await using engine = await createEngine({ databaseUrl: database.url, ...logOf(database.url) });
  const ran: string[] = [];
  engine.worker<{ t: { payload: string } }>({ handlers: { t: (job) => void ran.push(job.payload) } }).start();
  const slow = new pg.Client({ connectionString: database.url });
  const quick = new pg.Client({ connectionString: database.url });
  await Promise.all([slow.connect(), quick.connect()]);
  try {
    await slow.query('begin isolation level repeatable read');
    await engine.enqueue('acme', [{ type: 't', payload: 'slow' }], { client: slow });
    for (let n = 0; n < 20; n += 1) {
      await quick.query('begin');
      await engine.enqueue('acme', [{ type: 't', payload: `quick ${n}` }], { client: quick });
      await quick.query('commit');
      await engine.enqueue('acme', [{ type: 't', payload: `plain ${n}` }]);
    }
    await waitUntil('all others have run', () => ran.length === 40);
    await allDone(database.pool);
    expect(ran).not.toContain('slow');
    await slow.query('commit');
    await waitUntil('it runs as well', () => ran.includes('slow'));
    await allDone(database.pool);
    expect(ran).toHaveLength(41);
  } finally {
    await Promise.all([slow.end(), quick.end()]);
  }
}, 180_000);
