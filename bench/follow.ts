/**
 * How fast projections follow a log that is there already: `node bench/follow.ts [--completed N] [--waiting N] [names]`
 * with DATABASE_URL of a server on this machine, or a server of its own. CPU is that of this process and of all of
 * PostgreSQL.
 */
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createEngine } from '../src/engine.ts';
import { runProjections } from '../src/projections/runner.ts';
import { startPostgres, treeCpuUs } from './compare/servers.ts';
import { writeHistory, writeWaiting } from './scale/history.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    completed: { type: 'string', default: '100000' },
    waiting: { type: 'string', default: '0' },
    /** Process id of the server behind DATABASE_URL. */
    pid: { type: 'string' },
  },
});
const [completed, waiting] = [Number(values.completed), Number(values.waiting)];
const events = completed * 3 + waiting;
const url = process.env.DATABASE_URL;
const server = url === undefined ? await startPostgres() : undefined;
const cpuUs = () => server?.cpuUs() ?? treeCpuUs(Number(values.pid ?? 0));
const admin = new pg.Client({ connectionString: url ?? server?.url });
await admin.connect();
const name = `follow_${Date.now()}`;
await admin.query(`create database ${name}`);
const database = new URL(url ?? server?.url ?? '');
database.pathname = `/${name}`;

const engine = await createEngine({ databaseUrl: database.href, roles: new Set() });
const { parts } = engine;
await writeHistory(parts.pool, completed);
await writeWaiting(parts.pool, waiting);
await parts.pool.query('vacuum analyze events');
const projections = parts.projections.filter((p) => positionals.length === 0 || positionals.includes(p.name));

const head = await parts.log.head();
const arrived = new Map<string, number>();
const stop = new AbortController();
const [began, cpu, postgres] = [performance.now(), process.cpuUsage(), cpuUs()];
await runProjections(
  {
    environment: parts.projectionEnvironment,
    projections,
    advanced(projection, position) {
      if (position >= head && !arrived.has(projection)) arrived.set(projection, performance.now() - began);
      if (arrived.size === projections.length) stop.abort();
    },
  },
  stop.signal,
);
const ms = performance.now() - began;
const used = process.cpuUsage(cpu);
const each = (us: number) => (us / events).toFixed(2);
console.log(
  `${events} events in ${Math.round(ms)} ms: ${Math.round((events / ms) * 1_000)}/s, ` +
    `CPU an event: ${each(used.user + used.system)} µs Node, ${each(cpuUs() - postgres)} µs PostgreSQL, ` +
    `${Math.round(process.resourceUsage().maxRSS / 1_024)} MB at most`,
);
for (const [projection, at] of arrived) console.log(`  ${projection}: ${Math.round(at)} ms`);
await engine.stop();
await admin.query(`drop database ${name} with (force)`);
await admin.end();
await server?.stop();
process.exit(0);
