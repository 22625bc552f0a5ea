import type pg from 'pg';
import type { Metrics } from '../../src/commands/telemetry.ts';
import { waitUntil } from '../support/wait-until.ts';

/** The key that append_events and settled_position lock. */
const WRITERS_LOCK = '7311150180345864193';

export interface HeldWriter extends AsyncDisposable {
  readonly position: bigint;
  commit(): Promise<void>;
}

/** A writer that has the lock and a position, has written its event, and does not commit yet. */
export async function holdWriter(pool: pg.Pool, stream: string): Promise<HeldWriter> {
  const client = await pool.connect();
  await client.query('begin');
  await client.query(`select pg_advisory_xact_lock_shared(${WRITERS_LOCK})`);
  const { rows } = await client.query<{ position: string }>(
    `insert into events (position, recorded_at, revision, schema_version, stream, type, data, metadata)
     values (nextval('events_position'), 0, 0, 1, $1, 'Held', '{}', '{}')
     returning position`,
    [stream],
  );
  let open = true;
  const end = async (sql: string) => {
    if (!open) return;
    open = false;
    await client.query(sql);
    client.release();
  };
  return {
    position: BigInt(rows[0]?.position ?? 0),
    commit: () => end('commit'),
    [Symbol.asyncDispose]: () => end('rollback'),
  };
}

/** Keeps every append waiting until it is disposed of. */
export async function blockWriters(pool: pg.Pool): Promise<AsyncDisposable> {
  const client = await pool.connect();
  await client.query('begin');
  await client.query(`select pg_advisory_xact_lock(${WRITERS_LOCK})`);
  return {
    async [Symbol.asyncDispose]() {
      await client.query('rollback');
      client.release();
    },
  };
}

/** Ids of the sessions that wait for the writers' lock in append_events, once there is one. */
export function waitingAppends(pool: pg.Pool): Promise<readonly number[]> {
  return waitUntil('an append waits for the lock', async () => {
    const { rows } = await pool.query<{ pid: number }>(
      `select pid
       from pg_stat_activity
       where datname = current_database()
         and wait_event_type = 'Lock'
         and query like '%append_events%'`,
    );
    return rows.length > 0 && rows.map(({ pid }) => pid);
  });
}

export interface CountingMetrics extends Metrics {
  counted(name: string): number;
}

export function countingMetrics(): CountingMetrics {
  const counts = new Map<string, number>();
  return {
    count: (name, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by),
    gauge() {},
    gauges() {},
    observe() {},
    counted: (name) => counts.get(name) ?? 0,
  };
}
