// Side by side on one machine in one run: `npm run compare` in bench/. Prints a table and writes it to bench/README.md.
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { writeIntoReadme } from './readme.ts';
import { type Server, startPostgres, startRedis } from './servers.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    jobs: { type: 'string', default: '100000' },
    systems: { type: 'string', default: 'eventzrJobs,pgBoss,graphileWorker,bullMq' },
    scenarios: { type: 'string', default: 'single,endToEnd,pickup,http' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const jobsOf: Record<string, number> = {
  single: Number(values.jobs) / 5,
  endToEnd: Number(values.jobs),
  pickup: Math.min(5000, Number(values.jobs)),
  http: Number(values.jobs) / 5,
};

type Result = { readonly system: string } & Record<string, number>;

const postgres = await startPostgres();
const redis = await startRedis();
const lines: string[] = [];
try {
  for (const scenario of values.scenarios.split(',')) {
    const results = new Map<string, Result[]>();
    // The systems take turns, so that a machine that slows down slows all of them.
    for (let round = 0; round < rounds; round += 1) {
      for (const system of systemsOf(scenario)) {
        const result = await measure(system, scenario);
        results.set(system, [...(results.get(system) ?? []), result]);
        console.error(scenario, round + 1, JSON.stringify(result));
      }
    }
    lines.push(...table(scenario, [...results.values()]));
  }
} finally {
  await postgres.stop();
  await redis.stop();
}
console.log(lines.join('\n'));
if (values.write) await writeIntoReadme('compare', 'npm run compare -- --write', lines);

/** Over HTTP there is nobody to compare with, as the peers are libraries: only the least that could be done. */
function systemsOf(scenario: string): readonly string[] {
  return scenario === 'http' ? ['eventzrJobs', 'bareServer'] : values.systems.split(',');
}

async function measure(system: string, scenario: string): Promise<Result> {
  const server: Server = system === 'bullMq' ? redis : postgres;
  const database = `bench_${Date.now()}`;
  const admin = new pg.Client({ connectionString: postgres.url });
  await admin.connect();
  await admin.query(`create database ${database}`);
  const url = new URL(postgres.url);
  url.pathname = `/${database}`;
  const jobs = jobsOf[scenario] ?? 10_000;
  await redis.empty?.();
  const before = server.cpuUs();
  const output = await run([system, scenario, String(jobs)], {
    DATABASE_URL: url.href,
    REDIS_URL: redis.url,
  });
  const serverCpuUsPerJob = (server.cpuUs() - before) / jobs;
  const size = await admin.query('select pg_database_size($1)::float8 as bytes', [database]);
  await admin.query(`drop database ${database} with (force)`);
  await admin.end();
  const bytes: number = system === 'bullMq' ? Number.NaN : size.rows[0].bytes;
  return { ...JSON.parse(output), serverCpuUsPerJob, bytesPerJob: bytes / jobs };
}

function run(args: readonly string[], env: Record<string, string>): Promise<string> {
  const script = new URL('run-one.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...process.env, ...env, NODE_ENV: 'production' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      const last = output.trim().split('\n').at(-1) ?? '';
      if (code === 0) resolve(last);
      else reject(new Error(`${args.join(' ')} ended with code ${code}`));
    });
  });
}

function median(values_: readonly number[]): number {
  const sorted = [...values_].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Medians over the rounds; the first system is ours, so the first row is the yardstick. */
function table(scenario: string, bySystem: readonly Result[][]): string[] {
  const keys = Object.keys(bySystem[0]?.[0] ?? {}).filter((key) => key !== 'system' && key !== 'jobs');
  const format = (n: number): string =>
    Number.isNaN(n) ? '–' : n >= 100 ? Math.round(n).toLocaleString('en') : n.toFixed(1);
  return [
    '',
    `### ${scenario} (${jobsOf[scenario]?.toLocaleString('en')} jobs, median of ${rounds})`,
    '',
    `| system | ${keys.join(' | ')} |`,
    `| --- | ${keys.map(() => '---:').join(' | ')} |`,
    ...bySystem.map((results) => {
      const cells = keys.map((key) => format(median(results.map((result) => result[key] ?? Number.NaN))));
      return `| ${results[0]?.system} | ${cells.join(' | ')} |`;
    }),
  ];
}
