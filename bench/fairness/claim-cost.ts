import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { createPool } from '../../src/adapters/postgres/pool.ts';
import { postgresReadyQueue } from '../../src/adapters/postgres/ready-queue.ts';
import { systemClock, systemIds } from '../../src/adapters/system.ts';
import { ClaimDispatcher } from '../../src/commands/claim-dispatcher.ts';

/** What is in the tables besides the tenant that is claimed from. */
export interface Setting {
  readonly name: string;
  /** Waiting jobs of the tenant that is claimed from. */
  readonly waiting: number;
  /** Tenants with settings and nothing else. */
  readonly idle?: number;
  /** Tenants at their limit, and how many jobs each has waiting. */
  readonly saturated?: readonly [tenants: number, waiting: number];
  /** Limit of running jobs of the tenant that is claimed from. */
  readonly limit?: number;
  /** Slots of it that are taken for the whole run. */
  readonly taken?: number;
}

const CLAIMED = 10;
const ids = systemIds();

export interface Prepared {
  readonly setting: Setting;
  readonly held: boolean;
  /** Of each round: the median claim in ms, and the database's CPU time of a claim in µs. */
  readonly rounds: { readonly ms: number; readonly cpuUs: number }[];
  round(claims: number): Promise<void>;
  end(): Promise<void>;
}

/**
 * A database with stale statistics: analyzed while it was empty, never again. `held`: an old transaction keeps every row
 * that was ever deleted.
 */
export async function prepare(url: string, setting: Setting, held: boolean): Promise<Prepared> {
  const pool = createPool({ connectionString: url, max: 5, statementTimeoutMs: 0 });
  for (const table of ['ready_jobs', 'leases', 'ready_arrivals', 'slot_counts', 'slot_changes'])
    await pool.query(`alter table ${table} set (autovacuum_enabled = ${!held})`);
  await pool.query('vacuum analyze ready_jobs, leases, ready_arrivals, slot_counts, slot_changes');
  await fill(pool, setting);
  const holder = await pool.connect();
  if (held) {
    await holder.query(`set idle_in_transaction_session_timeout = 0`);
    await holder.query('begin isolation level repeatable read; select count(*) from ready_arrivals');
  }
  const claiming = createPool({ connectionString: url, max: 1 });
  const cpuNs = async () => {
    const { rows } = await claiming.query<{ pid: number }>('select pg_backend_pid() as pid');
    return Number(readFileSync(`/proc/${rows[0]?.pid}/schedstat`, 'utf8').split(' ')[0]);
  };
  const readyQueue = postgresReadyQueue(pool);
  const dispatcher = new ClaimDispatcher({
    readyQueue: postgresReadyQueue(claiming),
    clock: systemClock,
    ids,
  });
  const request = {
    workerId: 'w',
    tenants: '*',
    queues: '*',
    max: CLAIMED,
    leaseMs: 30_000,
    waitMs: 0,
  } as const;
  const rounds: Prepared['rounds'] = [];
  const claim = async (claimed?: (at: number) => void) => {
    const jobs = await dispatcher.reserve(request);
    claimed?.(performance.now());
    if (jobs.length !== CLAIMED) throw new Error(`${setting.name}: claimed ${jobs.length}`);
    await readyQueue.place(
      jobs.map((job) => ({ ...job, revision: job.revision + 2, kind: 'gone' })),
      Date.now(),
    );
    // As many come as go, so that the last claim finds what the first one found.
    await refill(pool, jobs.length);
  };
  return {
    setting,
    held,
    rounds,
    async round(claims) {
      // What is looked at again after a pause is looked at now.
      await claim();
      const times: number[] = [];
      const before = await cpuNs();
      for (let i = 0; i < claims; i += 1) {
        const began = performance.now();
        await claim((at) => times.push(at - began));
      }
      times.sort((a, b) => a - b);
      const cpuUs = ((await cpuNs()) - before) / 1_000 / claims;
      rounds.push({ ms: times[times.length >> 1] ?? Number.NaN, cpuUs });
    },
    async end() {
      holder.release(true);
      await claiming.end();
      await pool.end();
    },
  };
}

async function fill(pool: pg.Pool, { waiting, idle = 0, saturated, limit, taken = 0 }: Setting) {
  if (limit !== undefined)
    await pool.query('select set_tenant(0, $1, 0, 1::smallint, $2, false, null)', ['busy', limit]);
  await pool.query(TAKEN, ['busy', taken]);
  await pool.query('select repair_slot_count(0, $1, $2)', ['busy', '']);
  await wait(pool, 'busy', 1, waiting);
  await pool.query(IDLE, [idle]);
  if (saturated) {
    const [tenants, each] = saturated;
    for (let n = 0; n < tenants; n += 1) {
      await pool.query('select set_tenant(0, $1, 0, 2::smallint, 1, false, null)', [`full-${n}`]);
      await pool.query(TAKEN, [`full-${n}`, 1]);
      await pool.query('select repair_slot_count(0, $1, $2)', [`full-${n}`, '']);
    }
    await wait(pool, 'full-', tenants, each);
  }
}

/** A block has 65,536 places. */
const MAX_ROWS = 50_000;

async function wait(pool: pg.Pool, name: string, tenants: number, each: number) {
  const most = Math.max(1, Math.floor(MAX_ROWS / tenants));
  for (let left = each; left > 0; left -= most)
    await pool.query(WAITING, [name, tenants, Math.min(left, most)]);
}

const refill = (pool: pg.Pool, jobs: number) => pool.query(WAITING, ['busy', 1, jobs]);

const WAITING = `
with block as (select nextval('ready_blocks') * 65536 as start)
insert into ready_jobs (tenant_id, queue, type, priority, seq, job_id, revision, snapshot, ready_since)
select
  case when $1 = 'busy' then $1 else $1 || t end, 'default', 'email.send', 5, block.start + t * $3 + n, gen_random_uuid(), 0,
  '{"status":"queued"}', 0
from block, generate_series(0, $2::integer - 1) as t, generate_series(1, $3::integer) as n`;

const IDLE = `
insert into tenant_settings (tenant_id, revision, weight, running_limit, suspended)
select 'idle-' || n, 0, 3, 5, false
from generate_series(1, $1::integer) as n`;

const TAKEN = `
insert into leases (
  tenant_id, job_id, revision, queue, worker_id, lease_id, expires_at, settled, tenant_limited
)
select $1, gen_random_uuid(), 1, 'default', 'w', 'l', 9e15::bigint, true, true
from generate_series(1, $2::integer)`;
