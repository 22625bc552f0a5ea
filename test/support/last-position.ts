import type pg from 'pg';

/** Of the last event in the table itself: readers may be a moment behind writers that are slow, and so is the log's head. */
export async function lastPosition(pool: pg.Pool): Promise<bigint> {
  const { rows } = await pool.query<{ last: string }>(
    'select coalesce(max(position), 0) as last from eventzr.events',
  );
  return BigInt(rows[0]?.last ?? 0);
}
