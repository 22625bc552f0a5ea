import type { PoolClient } from 'pg';
import type { Position } from '../../commands/ports.ts';
import type { OutgoingEvent } from '../cloudevents/to-cloud-event.ts';

/** A public event on its way into the table outbox. */
export interface OutboxRow {
  readonly position: Position;
  /** Milliseconds since 1970. */
  readonly occurredAt: number;
  readonly event: OutgoingEvent;
}

const CONTENT_TYPE = 'application/cloudevents+json';

export async function insertIntoOutbox(client: PoolClient, rows: readonly OutboxRow[]): Promise<void> {
  if (rows.length === 0) return;
  const events = rows.map(({ event }) => event);
  const attributes = events.map((event) => event.attributes);
  await client.query(INSERT, [
    rows.map(({ position }) => `${position}`),
    events.map(({ id }) => id),
    events.map(({ jobId }) => (jobId === undefined ? 'quota' : 'job')),
    events.map(({ jobId, tenantId }) => jobId ?? tenantId),
    events.map(({ tenantId }) => tenantId),
    events.map(({ type }) => type),
    events.map(({ json }) => json),
    CONTENT_TYPE,
    attributes.map(({ correlationid }) => correlationid),
    attributes.map(({ causationid }) => causationid),
    attributes.map(({ traceparent }) => traceparent ?? null),
    attributes.map(({ sequence }) => sequence),
    rows.map(({ occurredAt }) => Math.round(occurredAt)),
  ]);
}

/** Everything up to a position: what reads the write-ahead log has the inserts all the same. */
export async function clearOutbox(client: PoolClient, upTo: Position): Promise<void> {
  await client.query('delete from outbox where position <= $1', [`${upTo}`]);
}

const INSERT = `
insert into outbox (
  position, id, aggregatetype, aggregateid, tenantid, type, payload, contenttype, correlationid, causationid,
  traceparent, sequence, occurredat
)
select
  event.position, event.id, event.aggregatetype, event.aggregateid, event.tenantid, event.type, event.payload, $8,
  event.correlationid, event.causationid, event.traceparent, event.sequence,
  to_timestamp(event.occurredat / 1000.0) at time zone 'UTC'
from unnest(
  $1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $9::text[], $10::text[],
  $11::text[], $12::text[], $13::bigint[]
) event (
  position, id, aggregatetype, aggregateid, tenantid, type, payload, correlationid, causationid, traceparent, sequence,
  occurredat
)
order by event.position`;
