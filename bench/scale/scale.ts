// What grows with the store and what must not: `npm run scale` in bench/. Prints tables and writes them to bench/README.md.
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createPool } from '../../src/adapters/postgres/pool.ts';
import { createEngine } from '../../src/engine.ts';
import { writeIntoReadme } from '../compare/readme.ts';
import { startPostgres } from '../compare/servers.ts';
import { writeHistory, writeWaiting } from './history.ts';
import { bytesPerJob, caughtUp, emptyClaimMs, rebuildRate, runOne, serverMemory } from './measure.ts';

const { values } = parseArgs({
  options: {
    /** Events of completed jobs that the large store holds before anything is measured. */
    events: { type: 'string', default: '3000000' },
    waiting: { type: 'string', default: '1000000' },
    /** Jobs of each end-to-end run. */
    jobs: { type: 'string', default: '60000' },
    rounds: { type: 'string', default: '2' },
    write: { type: 'boolean', default: false },
  },
});
const [events, waiting, jobs, rounds] = [values.events, values.waiting, values.jobs, values.rounds].map(
  Number,
) as [number, number, number, number];
const began = performance.now();
const progress = (...what: readonly unknown[]): void =>
  console.error(`${Math.round((performance.now() - began) / 1_000)} s`, ...what);
const count = (n: number): string => Math.round(n).toLocaleString('en');
const ms = (n: number | undefined): string => (n ?? Number.NaN).toFixed(1);

const postgres = await startPostgres();
try {
  const lines = await measureAll();
  console.log(lines.join('\n'));
  if (values.write) await writeIntoReadme('scale', 'npm run scale -- --write', lines);
} finally {
  await postgres.stop();
}

async function measureAll(): Promise<string[]> {
  const large = await database('large');
  const small = await database('small');
  const filling = await fill(large, Math.floor(events / 3), waiting);
  await fill(small, 0, 10_000);
  const memory = { small: await serverMemory(small, 15), large: await serverMemory(large, 15) };
  progress('memory', JSON.stringify(memory));
  const rebuilt = await rebuildRate(large);
  progress('rebuilt at', rebuilt);

  const rates: { empty: number; large: number }[] = [];
  let worked = '';
  for (let round = 0; round < rounds; round += 1) {
    worked = await database(`empty_${round}`);
    const empty = await runOne(worked, 'endToEnd', jobs);
    const full = await runOne(large, 'endToEnd', jobs);
    rates.push({
      empty: empty.withReadModelsPerSecond ?? Number.NaN,
      large: full.withReadModelsPerSecond ?? Number.NaN,
    });
    progress('endToEnd', round + 1, JSON.stringify(rates.at(-1)));
  }
  const pool = createPool({ connectionString: worked });
  const sizes = await bytesPerJob(pool, jobs);
  await pool.end();
  const claim = { fresh: await emptyClaimMs(await database('fresh')), large: await emptyClaimMs(large) };
  const pickups = {
    empty: await runOne(await database('pickup'), 'pickup', 3_000),
    large: await runOne(large, 'pickup', 3_000),
  };
  const share = rates.map((rate) => rate.large / rate.empty).sort((a, b) => a - b)[rates.length >> 1] ?? 0;
  return [
    '',
    `Large store: ${count(events)} events of completed jobs, then ${count(waiting)} waiting jobs of one tenant.`,
    '',
    '| | small or empty | large |',
    '| --- | ---: | ---: |',
    `| end to end with read models, jobs/s (best round) | ${count(Math.max(...rates.map((r) => r.empty)))} | ${count(Math.max(...rates.map((r) => r.large)))} (${Math.round(share * 100)} %, median of ${rounds} rounds) |`,
    `| pickup of another tenant's jobs, p50 / p95 ms | ${ms(pickups.empty.p50Ms)} / ${ms(pickups.empty.p95Ms)} | ${ms(pickups.large.p50Ms)} / ${ms(pickups.large.p95Ms)} |`,
    `| server memory, MB now / highest (10,000 and ${count(waiting)} waiting jobs) | ${ms(memory.small.rss)} / ${ms(memory.small.peak)} | ${ms(memory.large.rss)} / ${ms(memory.large.peak)} |`,
    `| a claim that finds nothing, ms (large: after ${count(jobs * rounds)} claims) | ${claim.fresh.toFixed(2)} | ${claim.large.toFixed(2)} |`,
    `| rebuild of the jobs read model, events/s | – | ${count(rebuilt)} |`,
    `| read models following a log that is there already, events/s | – | ${count(filling)} |`,
    '',
    '| bytes a completed job takes | |',
    '| --- | ---: |',
    ...sizes.map(([name, bytes]) => `| \`${name}\` | ${count(bytes)} |`),
    `| all | ${count(sizes.reduce((sum, [, bytes]) => sum + bytes, 0))} |`,
  ];
}

/** Writes the history and lets the service fold it; answers events a second of the folding. */
async function fill(url: string, completed: number, idle: number): Promise<number> {
  const writer = await createEngine({ databaseUrl: url, roles: new Set() });
  await writeHistory(writer.parts.pool, completed);
  await writeWaiting(writer.parts.pool, idle);
  await writer.parts.pool.query('analyze events');
  await writer.stop();
  progress('written', completed * 3 + idle);
  const engine = await createEngine({ databaseUrl: url });
  const began = performance.now();
  await caughtUp(engine);
  const seconds = (performance.now() - began) / 1_000;
  await engine.stop();
  progress('followed in', seconds);
  return (completed * 3 + idle) / seconds;
}

async function database(name: string): Promise<string> {
  const admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
  await admin.query(`create database ${name}`);
  await admin.end();
  const url = new URL(postgres.url);
  url.pathname = `/${name}`;
  return url.href;
}
