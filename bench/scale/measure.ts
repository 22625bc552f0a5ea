import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type pg from 'pg';
import { createEngine, type Engine } from '../../src/engine.ts';
import { jobsProjection } from '../../src/projections/jobs.ts';
import { rebuild } from '../../src/projections/rebuild.ts';
import { readModelsCurrent } from '../read-models-current.ts';

const CATCH_UP_MS = 3_600_000;

/** A scenario of bench/compare in a process of its own. */
export async function runOne(
  url: string,
  scenario: string,
  jobs: number,
): Promise<Readonly<Record<string, number>>> {
  const script = new URL('../compare/run-one.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, 'eventzrJobs', scenario, String(jobs)], {
    env: { ...process.env, DATABASE_URL: url },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${scenario} ended with code ${code}`);
  return JSON.parse(output.trim().split('\n').at(-1) ?? '');
}

/** Resolves when all read models of a running engine show the whole log. */
export const caughtUp = (engine: Engine): Promise<void> => readModelsCurrent(engine, CATCH_UP_MS);

/** Events a second of a whole rebuild of the jobs read model, comparison and swap included. */
export async function rebuildRate(url: string): Promise<number> {
  const engine = await createEngine({ databaseUrl: url, roles: new Set() });
  try {
    const { signal } = new AbortController();
    const environment = engine.parts.projectionEnvironment;
    const { events, seconds } = await rebuild({ environment, projection: jobsProjection, signal });
    return events / seconds;
  } finally {
    await engine.stop();
  }
}

/** Resident memory of a server, in MB, and its highest so far, after `seconds` of long polling for nothing. */
export async function serverMemory(url: string, seconds: number): Promise<{ rss: number; peak: number }> {
  const main = new URL('../../src/main.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, DATABASE_URL: url, PORT: '0', LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    for await (const line of createInterface(child.stdout)) {
      if (JSON.parse(line).event === 'server.ready') break;
    }
    child.stdout.resume();
    await pause(seconds * 1_000);
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    const mb = (field: string) => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
    return { rss: mb('VmRSS'), peak: mb('VmHWM') };
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}

/** Median of the time that a claim takes which finds nothing, in ms. */
export async function emptyClaimMs(url: string): Promise<number> {
  const engine = await createEngine({ databaseUrl: url });
  try {
    await caughtUp(engine);
    const times: number[] = [];
    for (let i = 0; i < 500; i += 1) {
      const before = performance.now();
      const claimed = await engine.parts.dispatcher.reserve({
        workerId: 'w',
        tenants: ['bench'],
        queues: '*',
        max: 500,
        leaseMs: 30_000,
        waitMs: 0,
      });
      if (claimed.length > 0) throw new Error('the claim was not empty');
      times.push(performance.now() - before);
    }
    return times.sort((a, b) => a - b)[250] ?? Number.NaN;
  } finally {
    await engine.stop();
  }
}

/** Bytes of every table and index, divided by the jobs; those above five bytes a job. */
export async function bytesPerJob(pool: pg.Pool, jobs: number): Promise<readonly [string, number][]> {
  const { rows } = await pool.query<{ name: string; bytes: string }>(SIZES);
  return rows
    .map(({ name, bytes }): [string, number] => [name, Number(bytes) / jobs])
    .filter(([, size]) => size >= 5);
}

const SIZES = `
select c.relname as name, pg_total_relation_size(c.oid) - pg_indexes_size(c.oid) as bytes
from pg_class c
where c.relnamespace = 'eventzr'::regnamespace and c.relkind = 'r'
union all
select c.relname, pg_relation_size(c.oid)
from pg_class c
where c.relnamespace = 'eventzr'::regnamespace and c.relkind = 'i'
order by bytes desc`;
