import type { DecodedEvent } from '../commands/decoded-event.ts';
import type { JobEvent } from '../domain/job/events.ts';
import { LEASE_EXPIRED } from '../domain/job/service-errors.ts';
import { JOB_STREAM_PREFIX } from '../domain/job/stream.ts';
import { QUEUE_STREAM_PREFIX } from '../domain/queue/stream.ts';
import { lineArray, lines } from './line-columns.ts';
import type { Projection, ProjectionTable, ProjectionWrite } from './projection.ts';
import { applyQueueControls, queueControlsTable } from './queue-controls.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Minutes are kept for two days before a tenant's newest hour, hours for ever. */
const KEPT_HOURS = 48;

const MEASURES = ['enqueued', 'started', 'completed', 'failed', 'dead_lettered', 'cancelled'] as const;
type Measure = (typeof MEASURES)[number];

/** What happened in each minute (or hour) of each queue. `at` is its start. */
const bucketTable = (name: string): ProjectionTable => ({
  name,
  create: (table) => `
create table ${table} (
  tenant_id text collate "C" not null,
  at bigint not null,
  queue text collate "C" not null,
  ${MEASURES.map((measure) => `${measure} bigint not null`).join(',\n  ')},
  primary key (tenant_id, at, queue)
) with (fillfactor = 70)`,
  indexes: () => [],
});

/** How far each tenant's time has come, which decides how far back its minutes go. */
const clockTable: ProjectionTable = {
  name: 'queue_stats_clock',
  create: (table) => `
create table ${table} (
  tenant_id text collate "C" primary key,
  newest_hour bigint not null
)`,
  indexes: () => [],
};

/**
 * Settings of the queues and their history in numbers. How many jobs are in which status stands in `queue_counts`, which
 * the jobs projection keeps: it knows the status before. The sums here have no revision to go by: applying a batch twice
 * counts it twice, and the checkpoint, moved in the same transaction, is what rules that out.
 */
export const queueStatsProjection: Projection = {
  name: 'queue-stats',
  version: 1,
  prefixes: [JOB_STREAM_PREFIX, QUEUE_STREAM_PREFIX],
  needsContent: false,
  unlogged: false,
  tables: [queueControlsTable, bucketTable('queue_minutes'), bucketTable('queue_hours'), clockTable],
  async apply(events, write) {
    await applyQueueControls(events, write);
    const minutes = countEvents(events);
    if (minutes.length > 0) await addUp(minutes, write);
  },
};

interface Bucket {
  readonly tenantId: string;
  readonly at: number;
  readonly queue: string;
  readonly by: Map<Measure, number>;
}

function countEvents(events: readonly DecodedEvent[]): readonly Bucket[] {
  const buckets = new Map<string, Bucket>();
  /** Neighbours mostly count in the same one. */
  let bucket: Bucket | undefined;
  for (const entry of events) {
    if (entry.aggregate !== 'job') continue;
    const counted = measured(entry.event);
    if (counted === undefined) continue;
    const { queue, measures } = counted;
    const at = Math.floor(entry.metadata.occurredAt / MINUTE_MS) * MINUTE_MS;
    if (!(bucket?.tenantId === entry.tenantId && bucket.at === at && bucket.queue === queue)) {
      const key = `${entry.tenantId}.${at}.${queue}`;
      bucket = buckets.get(key) ?? { tenantId: entry.tenantId, at, queue, by: new Map() };
      buckets.set(key, bucket);
    }
    for (const measure of measures) bucket.by.set(measure, (bucket.by.get(measure) ?? 0) + 1);
  }
  return [...buckets.values()];
}

/**
 * What an event counts as. LeaseExpired names no queue, so a failed attempt is counted by what comes of it: the retry that
 * the policy gives, the dead letter of an expired lease, or a failure that is not retried. (An attempt that was asked to
 * stop and lost its lease counts as cancelled only.)
 */
function measured(
  event: JobEvent,
): { readonly queue: string; readonly measures: readonly Measure[] } | undefined {
  switch (event.type) {
    case 'JobEnqueued':
      return { queue: event.data.queue, measures: ENQUEUED };
    case 'JobStarted':
      return { queue: event.data.queue, measures: STARTED };
    case 'JobCompleted':
      return { queue: event.data.queue, measures: COMPLETED };
    case 'JobFailed':
      return event.data.willRetry ? undefined : { queue: event.data.queue, measures: FAILED };
    case 'JobRetried':
      return event.data.by === 'policy' ? { queue: event.data.queue, measures: FAILED } : undefined;
    case 'JobDeadLettered': {
      const { queue, error } = event.data;
      const silent = error.type === LEASE_EXPIRED.type && error.fingerprint === LEASE_EXPIRED.fingerprint;
      return { queue, measures: silent ? FAILED_AND_DEAD : DEAD };
    }
    case 'JobCancelled':
      return { queue: event.data.queue, measures: CANCELLED };
    default:
      return undefined;
  }
}

const ENQUEUED = ['enqueued'] as const;
const STARTED = ['started'] as const;
const COMPLETED = ['completed'] as const;
const FAILED = ['failed'] as const;
const DEAD = ['dead_lettered'] as const;
const FAILED_AND_DEAD = ['failed', 'dead_lettered'] as const;
const CANCELLED = ['cancelled'] as const;

async function addUp(minutes: readonly Bucket[], { client, table }: ProjectionWrite): Promise<void> {
  const clock = table('queue_stats_clock');
  const minuteTable = table('queue_minutes');
  const hourTable = table('queue_hours');
  const values = [
    lines(minutes, ({ tenantId }) => tenantId),
    lines(minutes, ({ at }) => at),
    lines(minutes, ({ queue }) => queue),
    ...MEASURES.map((measure) => lines(minutes, ({ by }) => by.get(measure) ?? 0)),
  ];
  const { rows: advanced } = await client.query<{ tenant_id: string; newest_hour: string }>({
    name: `advance ${clock}`,
    text: advanceSql(clock),
    values: values.slice(0, 2),
  });
  await client.query({
    name: `add ${minuteTable}`,
    text: addMinutesSql(minuteTable, hourTable, clock),
    values,
  });
  if (advanced.length > 0) {
    await client.query(dropOldSql(minuteTable), [
      lines(advanced, (row) => row.tenant_id),
      lines(advanced, (row) => Number(row.newest_hour) - KEPT_HOURS * HOUR_MS),
    ]);
  }
}

const advanceSql = (clock: string) => `
insert into ${clock} as c (tenant_id, newest_hour)
select m.tenant_id, max(m.at / ${HOUR_MS}) * ${HOUR_MS}
from unnest(${lineArray(1)}, ${lineArray(2, 'bigint')}) as m (tenant_id, at)
group by m.tenant_id
on conflict (tenant_id) do update
set newest_hour = excluded.newest_hour
where excluded.newest_hour > c.newest_hour
returning tenant_id, newest_hour`;

const sums = (prefix: string) =>
  MEASURES.map((measure) => `${measure} = ${prefix}.${measure} + excluded.${measure}`);

/** Minutes that are too old by now are left out, so that a late event does not bring back what was dropped. */
const addMinutesSql = (minutes: string, hours: string, clock: string) => `
with counted as (
  select *
  from unnest(
    ${lineArray(1)}, ${lineArray(2, 'bigint')}, ${lineArray(3)},
    ${MEASURES.map((_, index) => lineArray(index + 4, 'bigint')).join(', ')}
  ) as m (tenant_id, at, queue, ${MEASURES.join(', ')})
), by_hour as (
  insert into ${hours} as h
  select tenant_id, at / ${HOUR_MS} * ${HOUR_MS}, queue, ${MEASURES.map((measure) => `sum(${measure})`).join(', ')}
  from counted
  group by 1, 2, 3
  on conflict (tenant_id, at, queue) do update
  set ${sums('h').join(', ')}
)
insert into ${minutes} as m
select counted.*
from counted
join ${clock} as c using (tenant_id)
where counted.at >= c.newest_hour - ${KEPT_HOURS * HOUR_MS}
on conflict (tenant_id, at, queue) do update
set ${sums('m').join(', ')}`;

const dropOldSql = (minutes: string) => `
delete from ${minutes} as m
using unnest(${lineArray(1)}, ${lineArray(2, 'bigint')}) as o (tenant_id, oldest)
where m.tenant_id = o.tenant_id
  and m.at < o.oldest`;
