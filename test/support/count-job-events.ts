import type pg from 'pg';
import {
  createEventStoreDbLog,
  type EventStoreDbLogOptions,
} from '../../src/adapters/eventstoredb/event-log.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import { readAll } from '../conformance/log-events.ts';

export interface JobEventCounts {
  readonly stream: string;
  readonly enqueued: number;
  readonly completed: number;
}

/** By asking the table of the log, without the code that is tested. */
export async function countInPostgres(pool: pg.Pool, tenant: string): Promise<readonly JobEventCounts[]> {
  const { rows } = await pool.query<JobEventCounts>(COUNT_EVENTS, [jobStream(tenant, '')]);
  return rows;
}

export async function countInEventStoreDb(
  where: EventStoreDbLogOptions,
  tenant: string,
): Promise<readonly JobEventCounts[]> {
  const log = createEventStoreDbLog(where);
  const counts = new Map<string, { enqueued: number; completed: number }>();
  for (const { stream, type } of await readAll(log)) {
    if (!stream.startsWith(jobStream(tenant, ''))) continue;
    const count = counts.get(stream) ?? { enqueued: 0, completed: 0 };
    if (type === 'JobEnqueued') count.enqueued += 1;
    if (type === 'JobCompleted') count.completed += 1;
    counts.set(stream, count);
  }
  await log.close();
  return [...counts].map(([stream, count]) => ({ stream, ...count }));
}

const COUNT_EVENTS = `
select
  stream,
  count(*) filter (where type = 'JobEnqueued')::int as enqueued,
  count(*) filter (where type = 'JobCompleted')::int as completed
from eventzr.events
where stream ^@ $1
group by stream`;
