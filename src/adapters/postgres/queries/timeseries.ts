import type { Queries, StatsBucket } from '../../../projections/queries.ts';
import { type QueryContext, read } from './read.ts';

type Range = Parameters<Queries['timeseries']>[1];

type StoredBucket = Readonly<
  Record<'at' | Exclude<keyof StatsBucket, 'at' | 'deadLettered'> | 'dead_lettered', string>
>;

/** A week of minutes. */
const MOST_BUCKETS = 10_080;

/** Buckets from `from` to `to` without gaps, the first at the start of the one that `from` falls into; at most 10,080. */
export async function timeseries(
  { pool }: QueryContext,
  tenantId: string,
  { from, to, bucketMs, queue }: Range,
): Promise<readonly StatsBucket[]> {
  const start = Math.floor(from / bucketMs) * bucketMs;
  const end = Math.min(to, start + MOST_BUCKETS * bucketMs);
  if (!(from < to)) return [];
  const table = bucketMs === 60_000 ? 'queue_minutes' : 'queue_hours';
  const condition = queue === undefined ? '' : 'and queue = $4';
  const rows = await read<StoredBucket>(pool, bucketSql(table, condition), [
    tenantId,
    start,
    Math.ceil(end),
    ...(queue === undefined ? [] : [queue]),
  ]);
  const found = new Map(rows.map((row) => [Number(row.at), row]));
  return Array.from({ length: Math.ceil((end - start) / bucketMs) }, (_, index) => {
    const at = start + index * bucketMs;
    return toBucket(at, found.get(at));
  });
}

const toBucket = (at: number, row: StoredBucket | undefined): StatsBucket => ({
  at,
  enqueued: Number(row?.enqueued ?? 0),
  started: Number(row?.started ?? 0),
  completed: Number(row?.completed ?? 0),
  failed: Number(row?.failed ?? 0),
  deadLettered: Number(row?.dead_lettered ?? 0),
  cancelled: Number(row?.cancelled ?? 0),
});

const bucketSql = (table: string, condition: string) => `
select
  at, sum(enqueued) as enqueued, sum(started) as started, sum(completed) as completed, sum(failed) as failed,
  sum(dead_lettered) as dead_lettered, sum(cancelled) as cancelled
from ${table}
where tenant_id = $1
  and at >= $2
  and at < $3
  ${condition}
group by at`;
