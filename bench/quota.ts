/**
 * What quotas cost an enqueue: `node bench/quota.ts [--jobs N] [--rounds N]` with DATABASE_URL, or a server of its own.
 * In process, no background work; the same calls without a gate, for tenants without a quota, and under each limit.
 */
import { parseArgs } from 'node:util';
import pg from 'pg';
import { createPostgresEventLog } from '../src/adapters/postgres/event-log.ts';
import { migrate } from '../src/adapters/postgres/migrate.ts';
import { createPool } from '../src/adapters/postgres/pool.ts';
import { createRateBuckets } from '../src/adapters/postgres/rate-buckets.ts';
import { systemClock, systemIds } from '../src/adapters/system.ts';
import { createEnqueueJobs } from '../src/commands/enqueue-jobs.ts';
import { QuotaGate } from '../src/commands/quota-gate.ts';
import { createSetTerms } from '../src/commands/set-terms.ts';
import { type Metrics, noMetrics } from '../src/commands/telemetry.ts';
import { asJsonText } from '../src/domain/json-text.ts';
import { DEFAULT_TERMS, type QuotaLimits, UNLIMITED } from '../src/domain/tenant-quota/limits.ts';
import { startPostgres } from './compare/servers.ts';

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '20000' },
    singles: { type: 'string', default: '4000' },
    rounds: { type: 'string', default: '5' },
  },
});

/** undefined: no gate; null: a gate, and a tenant without a quota. */
const CASES: Readonly<Record<string, Partial<QuotaLimits> | null | undefined>> = {
  'no gate': undefined,
  'no quota': null,
  'unfinished and daily limits': { unfinishedJobs: 1e9, jobsPerDay: 1e9 },
  'rate limit': { enqueuesPerSecond: 1e9 },
  'all limits': { unfinishedJobs: 1e9, jobsPerDay: 1e9, enqueuesPerSecond: 1e9, payloadBytes: 1e6 },
};

const url = process.env.DATABASE_URL;
const server = url === undefined ? await startPostgres() : undefined;
const admin = new pg.Client({ connectionString: url ?? server?.url });
await admin.connect();
const database = new URL(url ?? server?.url ?? '');
database.pathname = `/quota_${Date.now()}`;
await admin.query(`create database ${database.pathname.slice(1)}`);
const pool = createPool({ connectionString: database.href, max: 12 });
await migrate(pool);

const counts = new Map<string, number>();
const metrics: Metrics = {
  ...noMetrics,
  count: (name, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by),
};
const clock = systemClock;
const ids = systemIds(clock);
const log = createPostgresEventLog({ pool, metrics });
const gate = new QuotaGate({ log, clock, ids, buckets: createRateBuckets(pool), metrics });
const contextOf = (tenantId: string) => ({
  tenantId,
  actor: { id: 'bench', auth: 'in_process' as const },
  correlationId: 'bench',
});
const job = { type: 'mail.send', payload: asJsonText('{"to":"ada","body":"hello, this is about 64 bytes"}') };

async function rate(tenantId: string, gated: boolean, total: number, callers: number, perCall: number) {
  const enqueueJobs = createEnqueueJobs({ log, clock, ids, ...(gated && { gate }) });
  const jobs = Array.from({ length: perCall }, () => job);
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  let left = total;
  const work = async () => {
    while (left > 0) {
      left -= perCall;
      const results = await enqueueJobs(contextOf(tenantId), jobs);
      if (results.some(({ kind }) => kind !== 'created')) throw new Error('a job was not created');
    }
  };
  await Promise.all(Array.from({ length: callers }, work));
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: total / ((performance.now() - began) / 1_000), cpuUs: (user + system) / total };
}

/** Reservations alone: what one tenant's stream can take. */
async function admissions(tenantId: string, total: number, callers: number): Promise<number> {
  const began = performance.now();
  let left = total;
  const work = async () => {
    while (left > 0) {
      left -= 1_000;
      const candidates = Array.from({ length: 1_000 }, () => ({ jobId: ids.next(), payload: '1' }));
      await gate.admit(tenantId, candidates);
    }
  };
  await Promise.all(Array.from({ length: callers }, work));
  return total / ((performance.now() - began) / 1_000);
}

const setTerms = createSetTerms({ log, clock, ids, changed: gate.know.bind(gate) });
const names = Object.keys(CASES);
type Rates = Awaited<ReturnType<typeof rate>>[];
const figures = new Map<string, { bulk: Rates; singles: Rates }>(
  names.map((name) => [name, { bulk: [], singles: [] }]),
);
const tenantOf = (name: string) => name.replaceAll(' ', '-');
for (const [name, limits] of Object.entries(CASES))
  if (limits)
    await setTerms(contextOf(tenantOf(name)), { ...DEFAULT_TERMS, limits: { ...UNLIMITED, ...limits } }, {});
for (let round = -1; round < Number(values.rounds); round += 1)
  for (const name of round % 2 === 0 ? names : names.toReversed()) {
    const gated = CASES[name] !== undefined;
    const bulk = await rate(tenantOf(name), gated, Number(values.jobs), 8, 1_000);
    const singles = await rate(tenantOf(name), gated, Number(values.singles), 64, 1);
    if (round < 0) continue;
    figures.get(name)?.bulk.push(bulk);
    figures.get(name)?.singles.push(singles);
  }

const median = (rates: Rates, of: 'perSecond' | 'cpuUs') =>
  rates.map((one) => one[of]).toSorted((a, b) => a - b)[rates.length >> 1] ?? 0;
const shown = (rates: Rates) =>
  `${Math.round(median(rates, 'perSecond'))}/s, ${median(rates, 'cpuUs').toFixed(1)} µs of this process`;
for (const [name, { bulk, singles }] of figures)
  console.log(`${name.padEnd(28)} bulk ${shown(bulk)}; 64 callers ${shown(singles)}`);
console.log(`slots of one tenant, bulk: ${Math.round(await admissions('all-limits', 200_000, 8))} jobs/s`);
console.log(Object.fromEntries([...counts].filter(([name]) => name.startsWith('quota_'))));

await log.close();
await pool.end();
await admin.query(`drop database ${database.pathname.slice(1)} with (force)`);
await admin.end();
await server?.stop();
