import { z } from 'zod';
import { position, tenantId, time } from './values.ts';

export const republicationParams = z.strictObject({ id: z.uuid('must be a UUID') });

/**
 * POST /v1/forwarder/republications: public events of the log to Kafka once more, with the ids they had. Up to now unless
 * `to` says otherwise, and to the feed's own topics no further than the feed itself has come.
 */
export const republishRequest = z
  .strictObject({
    afterPosition: position.optional().describe('Events after this position; 0 is the beginning.'),
    fromTime: time.optional().describe('Events recorded from then on.'),
    toPosition: position.optional().describe('Up to and with the event at this position.'),
    toTime: time.optional().describe('Events recorded up to then.'),
    tenantId: tenantId.optional().describe('Absent: of all tenants.'),
    topicSuffix: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,60}$/, 'must be letters, digits, dots, dashes and underscores, at most 60')
      .optional()
      .describe(
        'Behind the names of the topics. Absent: to the topics of the feed, beside what comes in live.',
      ),
    dryRun: z.boolean().optional().describe('Count, and send nothing.'),
  })
  .refine((body) => (body.afterPosition === undefined) !== (body.fromTime === undefined), {
    error: 'give either afterPosition or fromTime',
    path: ['afterPosition'],
  })
  .refine((body) => body.toPosition === undefined || body.toTime === undefined, {
    error: 'give toPosition or toTime, not both',
    path: ['toTime'],
  })
  .meta({
    id: 'Republish',
    examples: [{ fromTime: '2026-11-20T00:00:00Z', tenantId: 'acme', topicSuffix: '.again' }],
  });
export type RepublishRequest = z.input<typeof republishRequest>;

export const republication = z
  .object({
    id: z.uuid(),
    status: z.enum(['running', 'done', 'aborted', 'failed']),
    afterPosition: position,
    toPosition: position,
    fromTime: time.nullable(),
    toTime: time.nullable(),
    tenantId: z.string().nullable(),
    topicSuffix: z.string(),
    dryRun: z.boolean(),
    position: position.describe('Everything up to here is done.'),
    done: z.number().describe('0 to 1.'),
    found: z
      .int()
      .describe('Public events so far; all are on Kafka unless it is a dry run or they were refused.'),
    refused: z.int().describe('Those of them that Kafka would not take.'),
    eventsPerSecond: z.number(),
    etaMs: z.int().nullable().describe('Time left; null while nothing can be said.'),
    by: z.string(),
    error: z.string().nullable(),
    startedAt: time,
    finishedAt: time.nullable(),
  })
  .meta({ id: 'Republication' });
export type Republication = z.infer<typeof republication>;

/** GET /v1/forwarder/republications: the newest, twenty at most. */
export const republicationList = z.object({ data: z.array(republication) });
export type RepublicationList = z.infer<typeof republicationList>;
