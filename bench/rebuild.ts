/**
 * Rebuild of a read model from a log that is there already: `node bench/rebuild.ts [--completed N] [name]` with
 * DATABASE_URL (and --pid of the server behind it), or a server of its own. Says where the time goes, phase by phase.
 */
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createEngine } from '../src/engine.ts';
import { rebuild } from '../src/projections/rebuild.ts';
import { startPostgres, treeCpuUs } from './compare/servers.ts';
import { writeHistory } from './scale/history.ts';
import { caughtUp } from './scale/measure.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    completed: { type: 'string', default: '100000' },
    rounds: { type: 'string', default: '2' },
    /** Follow the log first, so that the rebuild has something to compare with. */
    compare: { type: 'boolean', default: false },
    pid: { type: 'string' },
  },
});
const [name = 'jobs'] = positionals;
const url = process.env.DATABASE_URL;
const server = url === undefined ? await startPostgres() : undefined;
const cpuUs = () => server?.cpuUs() ?? treeCpuUs(Number(values.pid ?? 0));
const admin = new pg.Client({ connectionString: url ?? server?.url });
await admin.connect();
const database = new URL(url ?? server?.url ?? '');
database.pathname = `/rebuild_${Date.now()}`;
await admin.query(`create database ${database.pathname.slice(1)}`);

const engine = await createEngine({ databaseUrl: database.href, roles: new Set() });
const { parts } = engine;
await writeHistory(parts.pool, Number(values.completed));
await parts.pool.query('vacuum analyze events');
await parts.pool.query('checkpoint');
if (values.compare) {
  const follower = await createEngine({ databaseUrl: database.href });
  await caughtUp(follower);
  await follower.stop();
}
const environment = parts.projectionEnvironment;
const projection = parts.projections.find((candidate) => candidate.name === name);
if (!projection) throw new Error(`no projection ${name}`);
for (let round = 0; round < Number(values.rounds); round += 1) {
  const phases: string[] = [];
  let phase = '';
  let since = { ms: performance.now(), node: process.cpuUsage(), postgres: cpuUs() };
  const all = since;
  const show = (from: typeof since, events: number) => {
    const node = process.cpuUsage(from.node);
    const ms = performance.now() - from.ms;
    const each = (us: number) => (us / events).toFixed(2);
    return `${Math.round(ms)} ms, CPU an event ${each(node.user + node.system)} µs Node, ${each(cpuUs() - from.postgres)} µs PostgreSQL`;
  };
  const total = Number(values.completed) * 3;
  const report = await rebuild({
    environment,
    projection,
    signal: new AbortController().signal,
    onProgress(progress) {
      if (progress.phase === phase) return;
      if (phase !== '') phases.push(`  ${phase}: ${show(since, total)}`);
      phase = progress.phase;
      since = { ms: performance.now(), node: process.cpuUsage(), postgres: cpuUs() };
    },
  });
  phases.push(`  ${phase}: ${show(since, total)}`);
  console.log(
    `${report.events} events, ${Math.round(report.events / report.seconds)}/s: ${show(all, total)}`,
  );
  console.log(phases.join('\n'));
}
await engine.stop();
await admin.query(`drop database ${database.pathname.slice(1)} with (force)`);
await admin.end();
await server?.stop();
process.exit(0);
