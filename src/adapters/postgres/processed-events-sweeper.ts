import type pg from 'pg';
import { pause } from '../../commands/pause.ts';

const MAX_ROWS = 5_000;
const EVERY_MS = 60_000;

/**
 * Forgets events that were processed longer than keepMs ago, until the signal aborts. Should one of them come again, the
 * id of its job is still taken in the log. Any number may run at once.
 */
export function createProcessedEventsSweeper(
  pool: pg.Pool,
  keepMs: number,
): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    while (!signal.aborted) {
      const { rowCount } = await pool.query(SWEEP, [keepMs, MAX_ROWS]);
      if ((rowCount ?? 0) < MAX_ROWS) await pause(EVERY_MS, signal);
    }
  };
}

const SWEEP = `
delete from eventzr.processed_events
where ctid = any (
  array(
    select ctid
    from eventzr.processed_events
    where processed_at < now() - $1 * interval '1 millisecond'
    limit $2
    for update skip locked
  )
)`;
