import type { DecodedEvent } from '../commands/decoded-event.ts';
import { unreachable } from '../domain/decider.ts';
import type { ProjectionTable, ProjectionWrite } from './projection.ts';

/** What people have set for a queue. Queues that nobody has set anything for have no row. */
export const queueControlsTable: ProjectionTable = {
  name: 'queue_controls',
  create: (table) => `
create table ${table} (
  tenant_id text collate "C" not null,
  queue text collate "C" not null,
  revision integer not null,
  paused_since bigint,
  paused_until bigint,
  paused_reason text,
  paused_by text,
  concurrency_limit integer,
  primary key (tenant_id, queue)
)`,
  indexes: () => [],
};

type QueueEntry = Extract<DecodedEvent, { readonly aggregate: 'queue' }>;

/** One statement an event: people change queues rarely. */
export async function applyQueueControls(
  events: readonly DecodedEvent[],
  { client, table }: ProjectionWrite,
): Promise<void> {
  for (const entry of events) {
    if (entry.aggregate !== 'queue') continue;
    const { text, values } = change(table('queue_controls'), entry);
    await client.query(text, [entry.tenantId, entry.queue, entry.revision, ...values]);
  }
}

function change(table: string, { event, metadata }: QueueEntry) {
  switch (event.type) {
    case 'QueuePaused': {
      const { until = null, reason = null } = event.data;
      return { text: pauseSql(table), values: [metadata.occurredAt, until, reason, metadata.actor.id] };
    }
    case 'QueueResumed':
      return { text: pauseSql(table), values: [null, null, null, null] };
    case 'QueueLimitChanged':
      return { text: limitSql(table), values: [event.data.concurrencyLimit] };
    default:
      return unreachable(event);
  }
}

/** Pausing what is paused already changes why and until when, not since when. */
const pauseSql = (table: string) => `
insert into ${table} as t (tenant_id, queue, revision, paused_since, paused_until, paused_reason, paused_by)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (tenant_id, queue) do update
set
  revision = excluded.revision,
  paused_since = case
    when t.paused_since <= excluded.paused_since
      and (t.paused_until is null or t.paused_until > excluded.paused_since) then t.paused_since
    else excluded.paused_since
  end,
  paused_until = excluded.paused_until,
  paused_reason = excluded.paused_reason,
  paused_by = excluded.paused_by
where excluded.revision > t.revision`;

const limitSql = (table: string) => `
insert into ${table} as t (tenant_id, queue, revision, concurrency_limit)
values ($1, $2, $3, $4)
on conflict (tenant_id, queue) do update
set revision = excluded.revision, concurrency_limit = excluded.concurrency_limit
where excluded.revision > t.revision`;
