/**
 * How late jobs become ready that are all due at the same moment: `node bench/timers.ts [--jobs N] [--rounds N] [--work]`
 * with DATABASE_URL, or a server of its own. With --work a worker runs them meanwhile.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createEngine } from '../src/engine.ts';
import { startPostgres } from './compare/servers.ts';

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '5' },
    work: { type: 'boolean', default: false },
  },
});
const jobs = Number(values.jobs);
const url = process.env.DATABASE_URL;
const server = url === undefined ? await startPostgres() : undefined;
const admin = new pg.Client({ connectionString: url ?? server?.url });
await admin.connect();
const database = new URL(url ?? server?.url ?? '');
database.pathname = `/timers_${Date.now()}`;
await admin.query(`create database ${database.pathname.slice(1)}`);
const engine = await createEngine({ databaseUrl: database.href });

let dueAt = 0;
let fired: { readonly at: number; readonly count: number }[] = [];
const { readyQueue } = engine.parts;
const fire = readyQueue.fireReadyTimers.bind(readyQueue);
Object.assign(readyQueue, {
  async fireReadyTimers(...args: Parameters<typeof fire>) {
    const count = await fire(...args);
    if (count > 0) fired.push({ at: Date.now() - dueAt, count });
    return count;
  },
});
let ran = 0;
const worker = values.work
  ? engine
      .worker<{ timed: { payload: null } }>({
        concurrency: 500,
        prefetch: 500,
        handlers: {
          timed: () => {
            ran += 1;
          },
        },
      })
      .start()
  : undefined;

for (let round = 0; round < Number(values.rounds); round += 1) {
  dueAt = Date.now() + 10_000;
  fired = [];
  for (let at = 0; at < jobs; at += 1_000) {
    const batch = Array.from({ length: Math.min(1_000, jobs - at) }, () => ({ type: 'timed', runAt: dueAt }));
    await engine.enqueue('bench', batch);
  }
  if (Date.now() > dueAt - 1_000) throw new Error('they were due before all were there');
  await pause(dueAt - Date.now());
  const total = () => fired.reduce((sum, { count }) => sum + count, 0);
  while (total() < jobs) {
    if (Date.now() - dueAt > 60_000) throw new Error(`${total()} of ${jobs} fired`);
    await pause(20);
  }
  const late = fired.flatMap(({ at, count }) => Array.from({ length: count }, () => at));
  const at = (share: number) => late[Math.floor(share * (late.length - 1))];
  console.log(
    `${jobs} due at once: first ${at(0)} ms late, half ${at(0.5)} ms, 95 % ${at(0.95)} ms, last ${at(1)} ms; ` +
      `${fired.length} batches`,
  );
  while (worker && ran < jobs * (round + 1)) await pause(20);
}
await worker?.stop();
await engine.stop();
await admin.query(`drop database ${database.pathname.slice(1)} with (force)`);
await admin.end();
await server?.stop();
process.exit(0);
