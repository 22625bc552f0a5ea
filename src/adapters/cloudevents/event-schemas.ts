import { z } from 'zod';
import { LIMIT_NAMES } from '../../domain/tenant-quota/limits.ts';

/*
 * What is promised to others: everything a public event's `data` holds. The mapping is typed by these schemas, and
 * schemas/ and GET /schemas are made of them. A field that is added must be optional; anything else is a new version.
 */

const time = z.iso.datetime().describe('RFC 3339, in UTC');
const reason = z.string().describe('Why, in the words of whoever did it');
const attempt = (which: string): z.ZodInt => z.int().min(0).describe(which);
const status = <const Words extends readonly [string, ...string[]]>(...words: Words) =>
  z.enum(words).describe('Status of the job after the event; of the attempt where that failed');
const payload = z.unknown().describe('JSON of whoever enqueued the job, byte for byte');

const job = {
  tenantId: z.string().describe('Whose job it is'),
  jobId: z.string().describe('The job'),
  type: z.string().describe('What kind of work'),
  queue: z.string().describe('The lane that the job waits in'),
  priority: z.int().min(1).max(9).describe('1 goes first'),
};

const tenant = {
  tenantId: z.string().describe('Whose limits they are'),
};

const error = z
  .object({
    type: z.string(),
    message: z.string(),
    stack: z.string().optional(),
    fingerprint: z.string().describe('The same for errors that are alike'),
  })
  .describe('Why an attempt failed');

export const EVENT_SCHEMAS = {
  'eventzr.jobs.enqueued.v1': z
    .object({
      ...job,
      status: status('queued', 'scheduled'),
      runAt: time.optional(),
      payload,
    })
    .describe('The job was accepted'),
  'eventzr.jobs.started.v1': z
    .object({
      ...job,
      status: status('running'),
      attempt: attempt('Number of the attempt, from 1'),
      workerId: z.string().describe('Who has it'),
    })
    .describe('A worker took the job: an attempt runs'),
  'eventzr.jobs.completed.v1': z
    .object({
      ...job,
      status: status('completed'),
      attempt: attempt('The attempt that succeeded'),
      result: z.unknown().optional().describe('JSON of the worker, byte for byte'),
    })
    .describe('The attempt succeeded, and so did the job'),
  'eventzr.jobs.failed.v1': z
    .object({
      ...job,
      status: status('failed'),
      attempt: attempt('The attempt that failed'),
      error,
      willRetry: z.boolean().describe('Another attempt follows'),
    })
    .describe('One attempt failed; what becomes of the job is the next event'),
  'eventzr.jobs.retried.v1': z
    .object({
      ...job,
      status: status('queued', 'retrying'),
      attempt: attempt('The attempt that comes next'),
      by: z.enum(['policy', 'person']),
      runAt: time,
      reason: reason.optional(),
      payload: payload.optional().describe('A new payload, given with the retry'),
    })
    .describe('The job waits again: after a failed attempt, or because a person wants so'),
  'eventzr.jobs.cancelled.v1': z
    .object({
      ...job,
      status: status('cancelled'),
      reason: reason.optional(),
      forced: z.boolean().describe('The worker did not acknowledge in time'),
    })
    .describe('The job was stopped'),
  'eventzr.jobs.deadlettered.v1': z
    .object({
      ...job,
      status: status('dead_lettered'),
      attempt: attempt('The last attempt; 0 when the job never ran'),
      reason: z.enum(['attempts_spent', 'fatal_error', 'deadline_passed']),
      error,
    })
    .describe('The job was given up and waits for a person'),
  'eventzr.jobs.dlq.replayed.v1': z
    .object({
      ...job,
      status: status('queued', 'scheduled'),
      runAt: time.optional(),
      reason: reason.optional(),
      payload: payload.optional().describe('The payload when it was edited'),
    })
    .describe('A person put a dead letter back; it has all of its attempts again'),
  'eventzr.jobs.dlq.purged.v1': z
    .object({
      ...job,
      status: status('purged'),
      reason,
    })
    .describe('A person put a dead letter away for good'),
  'eventzr.jobs.quota.exceeded.v1': z
    .object({
      ...tenant,
      limit: z.enum(LIMIT_NAMES).describe('The limit that was reached'),
      value: z.number().describe('What the limit allows'),
      used: z.number().describe('What is used of it'),
      refused: z.int().min(0).describe('Jobs refused or put off since the event of this kind before'),
      resetAt: time.optional().describe('RFC 3339, in UTC: when there is room again, if that is known'),
    })
    .describe('Jobs were refused or put off: at once the first time, then once a minute at most'),
  'eventzr.jobs.quota.reset.v1': z
    .object({
      ...tenant,
      by: z.enum(['day', 'person']).describe('day: midnight UTC has passed'),
      used: z.int().min(0).describe('Jobs that had been enqueued of those of the day'),
      reason: reason.optional(),
    })
    .describe('The jobs of a day count from zero again'),
} as const satisfies Readonly<Record<`eventzr.jobs.${string}.v${number}`, z.ZodObject>>;

/** Also the name of the event's topic. */
export type PublicEventType = keyof typeof EVENT_SCHEMAS;

/** `data` of the CloudEvent of this type. */
export type PublicEventData<Type extends PublicEventType> = z.output<(typeof EVENT_SCHEMAS)[Type]>;

export const PUBLIC_EVENT_TYPES = Object.keys(EVENT_SCHEMAS) as readonly PublicEventType[];
