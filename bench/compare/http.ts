import autocannon from 'autocannon';
import pg from 'pg';
import { createApiKey } from '../../src/adapters/postgres/api-keys.ts';
import { createPool } from '../../src/adapters/postgres/pool.ts';
import type { Figures } from './scenarios.ts';
import { BARE_SERVER, SERVICE, startServer } from './server-process.ts';
import { payloadOf } from './system.ts';

const CONNECTIONS = 64;
const WARM_UP = 2_000;

interface Target {
  readonly script: string;
  /** A row of it stands for each job. */
  readonly rows: string;
  token(databaseUrl: string): Promise<string>;
}

/** The service as people run it. */
const service: Target = {
  script: SERVICE,
  rows: `eventzr.events where type = 'JobEnqueued'`,
  async token(databaseUrl) {
    const pool = createPool({ connectionString: databaseUrl });
    const key = { name: 'bench', tenants: ['bench'], role: 'producer' } as const;
    const { token } = await createApiKey(pool, key);
    await pool.end();
    return token;
  },
};

/** The least that a durable enqueue over HTTP can be made of with the same parts. */
const bareServer: Target = { script: BARE_SERVER, rows: 'bare_jobs', token: async () => 'none' };

export const http = (databaseUrl: string, jobs: number): Promise<Figures> =>
  flood(service, databaseUrl, jobs);

export const bareHttp = (databaseUrl: string, jobs: number): Promise<Figures> =>
  flood(bareServer, databaseUrl, jobs);

/** A server in a process of its own: 64 connections, one enqueue each at a time. Every answer a 201, every job a row. */
async function flood(target: Target, databaseUrl: string, jobs: number): Promise<Figures> {
  const server = await startServer(target.script, databaseUrl);
  const token = await target.token(databaseUrl);
  const enqueue = (amount: number) =>
    autocannon({
      url: `${server.url}/v1/jobs`,
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'bench', payload: payloadOf(1) }),
      connections: CONNECTIONS,
      amount,
    });
  await enqueue(WARM_UP);
  const before = server.cpuUs();
  const began = performance.now();
  const result = await enqueue(jobs);
  const perSecond = jobs / ((performance.now() - began) / 1_000);
  const serverProcessCpuUsPerJob = (server.cpuUs() - before) / jobs;
  await server.stop();
  const created = result.statusCodeStats?.['201']?.count;
  if (created !== jobs) throw new Error(`${created} of ${jobs} requests created a job`);
  const written = await rowsOf(databaseUrl, target.rows);
  if (written !== jobs + WARM_UP) throw new Error(`${written} rows for ${jobs + WARM_UP} jobs`);
  const { p50, p99 } = result.latency;
  return { jobs, perSecond, p50Ms: p50, p99Ms: p99, serverProcessCpuUsPerJob };
}

async function rowsOf(databaseUrl: string, of: string): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query(`select count(*)::int as rows from ${of}`);
  await client.end();
  return rows[0].rows;
}
