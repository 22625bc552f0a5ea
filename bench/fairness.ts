// What tenants cost each other: `npm run fairness` in bench/. Prints tables; --write puts them into bench/README.md.
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createEngine } from '../src/engine.ts';
import { writeIntoReadme } from './compare/readme.ts';
import { startPostgres } from './compare/servers.ts';
import { type Prepared, prepare, type Setting } from './fairness/claim-cost.ts';
import { type EndToEnd, endToEnd } from './fairness/end-to-end.ts';
import { flood } from './fairness/flood.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    claims: { type: 'string', default: '300' },
    waiting: { type: 'string', default: '1000000' },
    flood: { type: 'string', default: '100000' },
    /** Milliseconds that handlers take, one flood for each. */
    handlers: { type: 'string', default: '0,20' },
    /** Jobs that the worker claims ahead, beside 50 at once. */
    prefetch: { type: 'string', default: '0' },
    /** enqueuesPerSecond of the tenant that floods; 0: no limit. */
    rate: { type: 'string', default: '0' },
    /** Bulks of the flood under way at once. */
    callers: { type: 'string', default: '4' },
    /** The flood, its neighbour and the worker come over HTTP to one server. */
    http: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '60000' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const claims = Number(values.claims);
const waiting = Number(values.waiting);

/** From here on the tenant that is claimed from has a limit itself; these are compared with each other. */
const FIRST_LIMITED = 5;

const COST_ROUNDS = 5;

const postgres = await startPostgres();
try {
  const lines: string[] = [];
  if (values.only === undefined || values.only === 'claims') lines.push(...(await claimCost()));
  if (values.only === undefined || values.only === 'flood') lines.push(...(await floodLines()));
  if (values.only === undefined || values.only === 'cost') lines.push(...(await costLines()));
  console.log(lines.join('\n'));
  if (values.write) await writeIntoReadme('fairness', 'npm run fairness -- --write', lines);
} finally {
  await postgres.stop();
}

async function claimCost(): Promise<readonly string[]> {
  const settings: readonly Setting[] = [
    { name: '1 tenant, 1,000 waiting jobs', waiting: 1_000 },
    { name: `1 tenant, ${waiting.toLocaleString('en')} waiting jobs`, waiting },
    { name: '1,000 idle tenants beside it', waiting: 1_000, idle: 1_000 },
    { name: '1,000 tenants at their limit beside it', waiting: 1_000, saturated: [1_000, 20] },
    {
      name: `one at its limit with ${waiting.toLocaleString('en')} waiting jobs beside it`,
      waiting: 1_000,
      saturated: [1, waiting],
    },
    { name: 'itself limited, 100 slots, 10 free', waiting: 1_000, limit: 100, taken: 90 },
    { name: 'itself limited, 10,000 slots, 10 free', waiting: 1_000, limit: 10_000, taken: 9_990 },
  ];
  const prepared: Prepared[] = [];
  for (const [index, setting] of settings.entries()) {
    for (const held of [false, true])
      prepared.push(await prepare(await database(`claims_${index}_${held}`), setting, held));
  }
  // In turns, so that whatever else the machine does falls on all of them.
  for (let round = 0; round <= rounds; round += 1) {
    for (const one of prepared) await one.round(claims);
  }
  const median = (figure: 'ms' | 'cpuUs', { rounds: [, ...measured] }: Prepared) =>
    measured.map((round) => round[figure]).sort((a, b) => a - b)[measured.length >> 1] ?? Number.NaN;
  const base = { false: 0, true: 0 };
  const rows = settings.map(({ name }, index) => {
    const cells = [false, true].flatMap((held) => {
      const one = prepared[index * 2 + Number(held)];
      if (!one) return [];
      const cpuUs = median('cpuUs', one);
      if (index === 0 || index === FIRST_LIMITED) base[`${held}`] = cpuUs;
      return [
        `${cpuUs.toFixed(0)} (${Math.round((100 * cpuUs) / base[`${held}`])} %)`,
        median('ms', one).toFixed(2),
      ];
    });
    return `| ${name} | ${cells.join(' | ')} |`;
  });
  for (const one of prepared) await one.end();
  return [
    '',
    `A claim of 10 jobs, each followed by their end: CPU time of the database and median latency, median of ${rounds} rounds of ${claims} claims. Statistics are from before the tables were filled.`,
    '',
    '| | CPU µs | ms | with an old transaction open: CPU µs | ms |',
    '| --- | ---: | ---: | ---: | ---: |',
    ...rows,
  ];
}

async function costLines(): Promise<readonly string[]> {
  const jobs = Number(values.jobs);
  const figures: { readonly none: EndToEnd[]; readonly limits: EndToEnd[] } = { none: [], limits: [] };
  // The first round warms up.
  for (let round = 0; round <= COST_ROUNDS; round += 1) {
    for (const kind of round % 2 === 0 ? (['none', 'limits'] as const) : (['limits', 'none'] as const)) {
      const url = await database(`cost_${round}_${kind}`);
      const measured = await endToEnd(url, jobs, kind === 'limits', postgres);
      if (round > 0) figures[kind].push(measured);
    }
  }
  const median = (kind: 'none' | 'limits', figure: keyof EndToEnd) =>
    figures[kind].map((one) => one[figure]).sort((a, b) => a - b)[COST_ROUNDS >> 1] ?? Number.NaN;
  const row = (name: string, kind: 'none' | 'limits') => {
    const share = Math.round((100 * median(kind, 'perSecond')) / median('none', 'perSecond'));
    const cpu = `${median(kind, 'nodeCpuUs').toFixed(0)} | ${median(kind, 'postgresCpuUs').toFixed(0)}`;
    return `| ${name} | ${median(kind, 'perSecond').toFixed(0)} (${share} %) | ${cpu} |`;
  };
  return [
    '',
    `End to end with read models, ${jobs.toLocaleString('en')} jobs of one tenant, median of ${COST_ROUNDS}:`,
    '',
    '| | jobs/s | CPU µs of a job: Node | PostgreSQL |',
    '| --- | ---: | ---: | ---: |',
    row('no limits', 'none'),
    row('limits of every kind, none reached, and a weight', 'limits'),
  ];
}

async function floodLines(): Promise<readonly string[]> {
  const jobs = Number(values.flood);
  const lines: string[] = [];
  for (const handlerMs of values.handlers.split(',').map(Number)) {
    const url = await database(`flood_${handlerMs}`);
    const { pickups, enqueueSeconds, workedOffSeconds } = await flood(url, jobs, {
      handlerMs,
      prefetch: Number(values.prefetch),
      rate: Number(values.rate),
      callers: Number(values.callers),
      overHttp: values.http,
    });
    const handlers = handlerMs > 0 ? `handlers take ${handlerMs} ms on average` : 'handlers do nothing';
    lines.push(
      '',
      `Pickup of a tenant that enqueues 50 jobs a second, while another one floods the service with ${jobs.toLocaleString('en')} jobs (enqueued in ${enqueueSeconds.toFixed(1)} s, worked off ${workedOffSeconds.toFixed(1)} s after the first); ${handlers}.`,
      '',
      '| | jobs | p50 ms | p95 ms | worst ms |',
      '| --- | ---: | ---: | ---: | ---: |',
      ...pickups.map(
        ({ phase, jobs: count, p50, p95, max }) =>
          `| ${phase} | ${count} | ${p50.toFixed(1)} | ${p95.toFixed(1)} | ${max.toFixed(1)} |`,
      ),
    );
  }
  return lines;
}

async function database(name: string): Promise<string> {
  const admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
  await admin.query(`create database ${name}`);
  await admin.end();
  const url = new URL(postgres.url);
  url.pathname = `/${name}`;
  const engine = await createEngine({ databaseUrl: url.href, roles: new Set() });
  await engine.stop();
  return url.href;
}
