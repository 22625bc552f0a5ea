/**
 * How fast the ready queue fills again after a crash of PostgreSQL emptied it: `node bench/refill.ts [--waiting N]` with
 * DATABASE_URL (and --pid of the server behind it), or a server of its own.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createEngine } from '../src/engine.ts';
import { startPostgres, treeCpuUs } from './compare/servers.ts';
import { writeHistory, writeWaiting } from './scale/history.ts';
import { caughtUp } from './scale/measure.ts';

const { values } = parseArgs({
  options: {
    completed: { type: 'string', default: '20000' },
    waiting: { type: 'string', default: '100000' },
    pid: { type: 'string' },
  },
});
const waiting = Number(values.waiting);
const url = process.env.DATABASE_URL;
const server = url === undefined ? await startPostgres() : undefined;
const cpuUs = () => server?.cpuUs() ?? treeCpuUs(Number(values.pid ?? 0));
const admin = new pg.Client({ connectionString: url ?? server?.url });
await admin.connect();
const database = new URL(url ?? server?.url ?? '');
database.pathname = `/refill_${Date.now()}`;
await admin.query(`create database ${database.pathname.slice(1)}`);

const writer = await createEngine({ databaseUrl: database.href, roles: new Set() });
await writeHistory(writer.parts.pool, Number(values.completed));
await writeWaiting(writer.parts.pool, waiting);
await writer.stop();
const before = await createEngine({ databaseUrl: database.href });
await caughtUp(before);
await before.stop();

const client = new pg.Client({ connectionString: database.href });
await client.connect();
await client.query('set search_path = eventzr');
await client.query('vacuum analyze events');
// What recovery does to unlogged tables.
await client.query(`truncate ready_jobs, ready_arrivals, leases, timers, dispatch_epoch,
  projection_checkpoints_unlogged`);
const placed = async () =>
  (await client.query<{ n: number }>('select count(*)::int as n from ready_jobs')).rows[0]?.n ?? 0;

await admin.query('select pg_stat_statements_reset()').catch(() => undefined);
const [began, cpu, postgres] = [performance.now(), process.cpuUsage(), cpuUs()];
const engine = await createEngine({ databaseUrl: database.href, alone: true });
let first = 0;
for (let n = 0; n < waiting; ) {
  await pause(50);
  n = await placed();
  if (n > 0 && first === 0) first = performance.now() - began;
  if (performance.now() - began > 300_000) throw new Error(`only ${n} of ${waiting} came back`);
}
const ms = performance.now() - began;
const used = process.cpuUsage(cpu);
const each = (us: number) => (us / waiting).toFixed(1);
console.log(
  `${waiting} waiting jobs back in ${Math.round(ms)} ms: ${Math.round((waiting / ms) * 1_000)}/s, first after ` +
    `${Math.round(first)} ms, CPU a job: ${each(used.user + used.system)} µs Node, ${each(cpuUs() - postgres)} µs PostgreSQL`,
);
await engine.stop();
await client.end();
await admin.query(`drop database ${database.pathname.slice(1)} with (force)`);
await admin.end();
await server?.stop();
process.exit(0);
