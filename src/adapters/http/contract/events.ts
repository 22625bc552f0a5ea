import { z } from 'zod';
import { jobId, pageLimit, position, queryInteger, queryList, queueName } from './values.ts';

const eventType = z
  .string()
  .regex(/^eventzr\.[a-z0-9.]{1,100}$/, 'must be an event type such as eventzr.jobs.completed.v1');

/** CloudEvents 1.0; docs/events.md describes `data` of every type. */
export const cloudEvent = z
  .object({
    specversion: z.literal('1.0'),
    id: z.string(),
    source: z.string(),
    type: z.string(),
    subject: z.string(),
    time: z.string(),
    datacontenttype: z.literal('application/json'),
    dataschema: z.string().describe('URI of the JSON Schema of `data`; see GET /schemas.'),
    partitionkey: z.string(),
    sequence: z.string(),
    correlationid: z.string(),
    causationid: z.string(),
    recordedtime: z.string(),
    traceparent: z.string().optional(),
    data: z.looseObject({
      tenantId: z.string(),
      jobId: z.string().optional().describe('This and the next four: absent where it is about the tenant.'),
      type: z.string().optional(),
      queue: z.string().optional(),
      priority: z.int().optional(),
      status: z.string().optional(),
      attempt: z.int().optional(),
      payload: z.unknown().optional(),
      result: z.unknown().optional(),
      error: z.unknown().optional(),
    }),
  })
  .meta({ id: 'CloudEvent' });
export type CloudEvent = z.infer<typeof cloudEvent>;

/** An entry of a job's history: the public ones as they were published, the internal ones by their name. */
export const jobHistoryEvent = z
  .object({
    id: z.string(),
    revision: z.int(),
    position,
    event: z.string().describe('Name of the domain event: JobStarted.'),
    type: z.string().nullable().describe('Type it was published under; null for internal events.'),
    occurredAt: z.string(),
    recordedAt: z.string(),
    actor: z.object({ id: z.string(), auth: z.string() }),
    correlationId: z.string(),
    causationId: z.string(),
    requestId: z
      .string()
      .nullable()
      .describe('Of the request that commanded it; null for what happens by itself.'),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'JobHistoryEvent' });
export type JobHistoryEvent = z.infer<typeof jobHistoryEvent>;

/** GET /v1/jobs/{id}/events: its whole life, in order. */
export const jobEventsQuery = z.strictObject({
  fromRevision: queryInteger(0, 2_147_483_647).optional(),
  direction: z.enum(['forwards', 'backwards']).optional(),
  limit: pageLimit,
});

export const jobHistory = z
  .object({
    data: z.array(jobHistoryEvent),
    /** Give it as fromRevision for the next page; null at the end. */
    nextRevision: z.int().nullable(),
  })
  .meta({ id: 'JobHistory' });
export type JobHistory = z.infer<typeof jobHistory>;

const filters = {
  types: queryList(eventType).optional(),
  queue: queueName.optional(),
  jobId: jobId.optional(),
};

/** GET /v1/events: a page of the feed, oldest first. */
export const listEventsQuery = z.strictObject({ after: position.optional(), ...filters, limit: pageLimit });
export type ListEventsQuery = z.input<typeof listEventsQuery>;

export const eventPage = z
  .object({
    data: z.array(z.object({ position, event: cloudEvent })),
    /** Go on with after=<this>, also when data is empty. */
    position,
    caughtUp: z.boolean(),
  })
  .meta({ id: 'EventPage' });
export type EventPage = z.infer<typeof eventPage>;

/** GET /v1/events/stream: `after` or the Last-Event-ID header say where to go on; neither: from now on. */
export const streamEventsQuery = z.strictObject({ after: position.optional(), ...filters });
