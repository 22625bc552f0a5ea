import type { CloudEventV1 } from 'cloudevents';
import type { DecodedEvent } from '../../commands/decoded-event.ts';
import { type DataSchemas, SCHEMA_URNS } from './data-schema.ts';
import { eventId } from './event-id.ts';
import { publicEvent } from './public-event.ts';

/** Name of this service in the feed. */
export const EVENT_SOURCE = 'jobs-svc';

/** An event as others get to see it. */
export interface OutgoingEvent {
  readonly id: string;
  /** Also the name of its topic. */
  readonly type: string;
  /** Key that keeps a tenant's events in order. */
  readonly tenantId: string;
  /** Absent where the event is about the tenant. */
  readonly jobId?: string | undefined;
  readonly queue?: string | undefined;
  /** The CloudEvent in JSON structured mode; payload and result are byte for byte what the caller gave. */
  readonly json: string;
  /** The same in two parts, for binary mode: the attributes, all of them texts, and the data as JSON. */
  readonly attributes: EventAttributes;
  readonly data: string;
}

export type EventAttributes = Pick<CloudEventV1<never>, 'id' | 'source' | 'specversion' | 'type'> & {
  readonly datacontenttype: string;
} & Readonly<Record<string, string | undefined>>;

/** CloudEvents 1.0 for everybody else; undefined for events that stay inside. */
export function toCloudEvent(
  decoded: DecodedEvent,
  schemas: DataSchemas = SCHEMA_URNS,
): OutgoingEvent | undefined {
  const face = publicEvent(decoded);
  if (!face) return undefined;
  const { tenantId, metadata } = decoded;
  const jobId = decoded.aggregate === 'job' ? decoded.jobId : undefined;
  const attributes = {
    specversion: '1.0',
    id: eventId(decoded.stream, decoded.revision),
    source: EVENT_SOURCE,
    type: face.type,
    subject: tenantId,
    time: new Date(metadata.occurredAt).toISOString(),
    datacontenttype: 'application/json',
    dataschema: schemas[face.type],
    partitionkey: tenantId,
    // Zero-padded, as the extension wants it: texts compare like the numbers.
    sequence: String(decoded.revision).padStart(10, '0'),
    correlationid: metadata.correlationId,
    causationid: metadata.causationId,
    recordedtime: new Date(decoded.recordedAt).toISOString(),
    traceparent: metadata.traceparent,
  } satisfies EventAttributes;
  const known = JSON.stringify({
    tenantId,
    jobId,
    ...face.identity,
    status: face.status,
    ...face.details,
  });
  const content = face.content ? `,"${face.content.field}":${face.content.text}` : '';
  const data = `${known.slice(0, -1)}${content}}`;
  const json = `${JSON.stringify(attributes).slice(0, -1)},"data":${data}}`;
  return {
    id: attributes.id,
    type: face.type,
    tenantId,
    jobId,
    queue: face.identity?.queue,
    json,
    attributes,
    data,
  };
}
