import { z } from 'zod';
import { job, jobAttempt } from './jobs.ts';
import {
  anyJson,
  cursor,
  fingerprint,
  jobId,
  jobType,
  pageLimit,
  pageOf,
  queryInteger,
  queueName,
  reason,
  tenantId,
  time,
} from './values.ts';

const filter = {
  type: jobType.optional(),
  queue: queueName.optional(),
  fingerprint: fingerprint.optional(),
};

/** GET /v1/dead-letters */
export const listDeadLettersQuery = z.strictObject({
  ...filter,
  limit: pageLimit,
  cursor: cursor.optional(),
});
export type ListDeadLettersQuery = z.input<typeof listDeadLettersQuery>;

export const deadLetter = z
  .object({
    jobId,
    tenantId,
    revision: z.int(),
    type: z.string(),
    queue: z.string(),
    reason: z.string(),
    attempts: z.int(),
    error: z.object({ type: z.string(), message: z.string(), fingerprint: z.string() }),
    enqueuedAt: time,
    deadLetteredAt: time,
  })
  .meta({ id: 'DeadLetter' });
export type DeadLetter = z.infer<typeof deadLetter>;

export const deadLetterPage = pageOf(deadLetter).meta({ id: 'DeadLetterPage' });
export type DeadLetterPage = z.infer<typeof deadLetterPage>;

/** GET /v1/dead-letters/groups: one line per kind of error, most frequent first. */
export const groupDeadLettersQuery = z.strictObject({ ...filter, limit: queryInteger(1, 200).default(50) });
export type GroupDeadLettersQuery = z.input<typeof groupDeadLettersQuery>;

export const deadLetterGroup = z
  .object({
    fingerprint: z.string(),
    errorType: z.string(),
    message: z.string(),
    jobType: z.string(),
    count: z.int(),
    firstAt: time,
    lastAt: time,
  })
  .meta({ id: 'DeadLetterGroup' });
export type DeadLetterGroup = z.infer<typeof deadLetterGroup>;

export const deadLetterGroupList = z.object({ data: z.array(deadLetterGroup) });
export type DeadLetterGroupList = z.infer<typeof deadLetterGroupList>;

/** GET /v1/dead-letters/{id} */
export const deadLetterDetail = z
  .object({ job, attempts: z.array(jobAttempt) })
  .meta({ id: 'DeadLetterDetail' });
export type DeadLetterDetail = z.infer<typeof deadLetterDetail>;

/** POST /v1/dead-letters/{id}/replay; the payload may be edited. */
export const replayDeadLetterRequest = z
  .strictObject({
    payload: anyJson.optional().describe('Absent: as it was.'),
    queue: queueName.optional(),
    runAt: time.optional(),
    reason: reason.optional(),
  })
  .meta({
    id: 'ReplayDeadLetter',
    examples: [{ payload: { to: 'ada@example.org' }, reason: 'address corrected' }],
  });
export type ReplayDeadLetterRequest = z.input<typeof replayDeadLetterRequest>;

/** DELETE /v1/dead-letters/{id}?reason= */
export const purgeDeadLetterQuery = z.strictObject({ reason });
