import type { JobStatus } from '../../../domain/job/state.ts';
import type { QueueRow } from '../../../projections/queries.ts';
import { timeOrNull } from './job-row.ts';
import { type QueryContext, read } from './read.ts';

type StoredQueue = Readonly<Record<JobStatus, string | null>> & {
  readonly queue: string;
  readonly paused_since: string | null;
  readonly paused_until: string | null;
  readonly paused_reason: string | null;
  readonly paused_by: string | null;
  readonly concurrency_limit: number | null;
  readonly ready_since: string | null;
};

const MOST_QUEUES = 1_000;

/** By name, the first 1,000. */
export async function listQueues(context: QueryContext, tenantId: string): Promise<readonly QueueRow[]> {
  const rows = await read<StoredQueue>(
    context.pool,
    queueSql('', '(r.queue, r.type, r.priority) > (l.queue, l.type, l.priority)'),
    [tenantId],
  );
  return rows.map((row) => toQueueRow(tenantId, row, context.clock.now()));
}

/** A queue exists once a job was sent to it or something was set for it. */
export async function getQueue(
  context: QueryContext,
  tenantId: string,
  queue: string,
): Promise<QueueRow | undefined> {
  const [row] = await read<StoredQueue>(
    context.pool,
    queueSql('and queue = $2', '(r.type, r.priority) > (l.type, l.priority)'),
    [tenantId, queue],
  );
  return row && toQueueRow(tenantId, row, context.clock.now());
}

function toQueueRow(tenantId: string, row: StoredQueue, now: number): QueueRow {
  return {
    tenantId,
    queue: row.queue,
    counts: {
      scheduled: Number(row.scheduled),
      queued: Number(row.queued),
      running: Number(row.running),
      retrying: Number(row.retrying),
      completed: Number(row.completed),
      cancelled: Number(row.cancelled),
      dead_lettered: Number(row.dead_lettered),
      purged: Number(row.purged),
    },
    paused: pauseOf(row, now),
    concurrencyLimit: row.concurrency_limit,
    oldestReadyAgeMs: row.ready_since === null ? null : Math.max(0, now - Number(row.ready_since)),
  };
}

/** A pause with an end is over when its time has come, without an event. */
function pauseOf(row: StoredQueue, now: number): QueueRow['paused'] {
  const since = timeOrNull(row.paused_since);
  const until = timeOrNull(row.paused_until);
  if (since === null || (until !== null && until <= now)) return null;
  return { since, until, reason: row.paused_reason, by: row.paused_by ?? '' };
}

/**
 * The oldest ready job of a queue: the ready table has them in order within each (type, priority), so the first of each
 * of these lanes is looked at, not the backlog. `after` must leave out columns that the condition fixes, or the walk
 * starts at the first entry each time.
 */
const queueSql = (condition: string, after: string) => `
with recursive known as (
  select queue from queue_counts where tenant_id = $1 ${condition}
  union
  select queue from queue_controls where tenant_id = $1 ${condition}
  order by queue
  limit ${MOST_QUEUES}
), lane as (
  (
    select r.queue, r.type, r.priority, r.ready_since
    from ready_jobs as r
    where r.tenant_id = $1 ${condition}
    order by r.tenant_id, r.queue, r.type, r.priority, r.seq
    limit 1
  )
  union all
  select n.queue, n.type, n.priority, n.ready_since
  from lane as l
  cross join lateral (
    select r.queue, r.type, r.priority, r.ready_since
    from ready_jobs as r
    where r.tenant_id = $1 ${condition}
      and ${after}
    order by r.tenant_id, r.queue, r.type, r.priority, r.seq
    limit 1
  ) as n
)
select
  k.queue, c.scheduled, c.queued, c.running, c.retrying, c.completed, c.cancelled, c.dead_lettered, c.purged,
  s.paused_since, s.paused_until, s.paused_reason, s.paused_by, s.concurrency_limit,
  (select min(l.ready_since) from lane as l where l.queue = k.queue) as ready_since
from known as k
left join queue_counts as c on c.tenant_id = $1 and c.queue = k.queue
left join queue_controls as s on s.tenant_id = $1 and s.queue = k.queue
order by k.queue`;
