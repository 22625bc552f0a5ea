import type pg from 'pg';
import { pause } from '../../commands/pause.ts';

const MAX_ROWS = 5_000;
const EVERY_MS = 60_000;

/** Forgets answers whose time is over, until the signal aborts. Any number may run at once. */
export function createIdempotencySweeper(pool: pg.Pool): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    while (!signal.aborted) {
      const swept = await sweepIdempotencyKeys(pool, MAX_ROWS);
      if (swept < MAX_ROWS) await pause(EVERY_MS, signal);
    }
  };
}

/** Deletes at most `limit` expired rows; answers how many. */
export async function sweepIdempotencyKeys(pool: pg.Pool, limit: number): Promise<number> {
  const { rowCount } = await pool.query(SWEEP, [limit]);
  return rowCount ?? 0;
}

const SWEEP = `
delete from eventzr.idempotency_keys
where (tenant_id, key) in (
  select tenant_id, key
  from eventzr.idempotency_keys
  where expires_at <= now()
  order by expires_at
  limit $1
  for update skip locked
)`;
