import { z } from 'zod';

/** What every envelope comes down to; `dataAt` names the member that holds the data. */
export interface Opened {
  readonly id: string | undefined;
  readonly type: string;
  readonly source: string | undefined;
  readonly tenantId: string | undefined;
  readonly time: number | undefined;
  readonly correlationId: string | undefined;
  readonly traceparent?: string | undefined;
  readonly dataAt: 'data' | 'payload';
}

export interface Envelope {
  readonly name: string;
  /** Whether a document is meant to be of this kind; then it must fit. */
  readonly claims: (document: Readonly<Record<string, unknown>>) => boolean;
  readonly schema: z.ZodType<Opened>;
}

const storable = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .refine((text) => !text.includes('\0') && text.isWellFormed(), 'must not hold NUL or lone surrogates');

const id = storable(300);
const type = storable(200);
const source = storable(300);
const words = storable(300).optional();
const tenant = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, 'must be a tenant id: letters, digits, _ and -, at most 64');
const instant = z
  .union([z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)), z.int()], {
    error: 'must be an RFC 3339 time or milliseconds since 1970',
  })
  .refine((ms) => ms >= 0 && ms <= 253_402_300_799_999, 'must be from 1970 to 9999');

/** CloudEvents 1.0. Events of this platform name their tenant in the subject; others in an extension. */
const cloudEvent = z
  .looseObject({
    specversion: z.literal('1.0'),
    id,
    source,
    type,
    time: instant.optional(),
    subject: z.string().optional(),
    tenantid: tenant.optional(),
    correlationid: words,
    traceparent: z.string().max(200).optional(),
  })
  .transform(
    (event): Opened => ({
      ...event,
      tenantId: event.tenantid ?? (event.type.startsWith('eventzr.') ? tenantIn(event.subject) : undefined),
      time: event.time,
      correlationId: event.correlationid,
      dataAt: 'data',
    }),
  );

const eventAndService = z
  .looseObject({
    event: type,
    version: z.union([z.string(), z.number()]).optional(),
    occurred_at: instant,
    service: source,
    tenant_id: tenant.optional(),
    event_id: id.optional(),
    correlation_id: words,
    payload: z.unknown(),
  })
  .refine((event) => event.payload !== undefined, { path: ['payload'], error: 'is required' })
  .transform(
    (event): Opened => ({
      id: event.event_id,
      type: event.event,
      source: event.service,
      tenantId: event.tenant_id,
      time: event.occurred_at,
      correlationId: event.correlation_id,
      dataAt: 'payload',
    }),
  );

const snakeCase = z
  .looseObject({
    event_id: id,
    event_type: type,
    event_version: z.union([z.string(), z.number()]).optional(),
    tenant_id: tenant.optional(),
    occurred_at: instant,
    correlation_id: words,
    producer: source.optional(),
  })
  .transform(
    (event): Opened => ({
      id: event.event_id,
      type: event.event_type,
      source: event.producer,
      tenantId: event.tenant_id,
      time: event.occurred_at,
      correlationId: event.correlation_id,
      dataAt: 'data',
    }),
  );

const typeAndPayload = z
  .looseObject({
    eventId: id,
    timestamp: instant,
    type,
    tenantId: tenant.optional(),
    correlationId: words,
    payload: z.record(z.string(), z.unknown()),
  })
  .transform(
    (event): Opened => ({
      id: event.eventId,
      type: event.type,
      source: undefined,
      tenantId: event.tenantId,
      time: event.timestamp,
      correlationId: event.correlationId,
      dataAt: 'payload',
    }),
  );

const aggregate = z
  .looseObject({
    eventId: id,
    eventType: type,
    timestamp: instant,
    aggregateId: words,
    tenantId: tenant.optional(),
    correlationId: words,
  })
  .transform(
    (event): Opened => ({
      id: event.eventId,
      type: event.eventType,
      source: undefined,
      tenantId: event.tenantId,
      time: event.timestamp,
      correlationId: event.correlationId,
      dataAt: 'data',
    }),
  );

/** In the order in which they are tried. */
export const ENVELOPES: readonly Envelope[] = [
  { name: 'CloudEvents', claims: (document) => 'specversion' in document, schema: cloudEvent },
  { name: 'event_id, event_type', claims: (document) => 'event_type' in document, schema: snakeCase },
  { name: 'eventId, eventType', claims: (document) => 'eventType' in document, schema: aggregate },
  {
    name: 'eventId, type, payload',
    claims: (document) => 'eventId' in document && 'type' in document,
    schema: typeAndPayload,
  },
  {
    name: 'event, occurred_at, payload',
    claims: (document) => 'event' in document && 'occurred_at' in document,
    schema: eventAndService,
  },
];

const tenantIn = (text: string | undefined): string | undefined =>
  tenant.safeParse(text).success ? text : undefined;
