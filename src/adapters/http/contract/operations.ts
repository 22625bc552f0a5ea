import { z } from 'zod';
import { jobStatus } from './jobs.ts';
import {
  cursor,
  fingerprint,
  jobId,
  jobType,
  MAX_BATCH,
  pageLimit,
  pageOf,
  queueName,
  reason,
  tag,
  time,
} from './values.ts';

export const operationParams = z.strictObject({ id: z.uuid('must be a UUID') });

const filter = z
  .strictObject({
    status: z.array(jobStatus).min(1).max(8).optional(),
    type: jobType.optional(),
    queue: queueName.optional(),
    tag: tag.optional(),
    fingerprint: fingerprint.optional(),
    createdAfter: time.optional(),
    createdBefore: time.optional(),
  })
  .refine((value) => Object.keys(value).length > 0, 'give at least one condition');

const DEAD_LETTER_CONDITIONS: readonly string[] = ['type', 'queue', 'fingerprint'];

/**
 * POST /v1/operations: one action on many jobs, by filter or by ids. Jobs enqueued later are left alone. Without a
 * status, cancel takes all that are unfinished and retry those that wait for their next attempt; replay and purge only
 * ever take dead letters. dryRun only counts and shows a sample.
 */
export const startOperationRequest = z
  .strictObject({
    action: z.enum(['cancel', 'retry', 'replay', 'purge']),
    filter: filter.optional(),
    ids: z.array(jobId).min(1).max(MAX_BATCH).optional(),
    reason: reason.optional().describe('Required for purge.'),
    dryRun: z.boolean().optional(),
  })
  .refine((body) => (body.filter === undefined) !== (body.ids === undefined), 'give either filter or ids')
  .refine((body) => body.action !== 'purge' || body.reason !== undefined, {
    error: 'purge needs a reason',
    path: ['reason'],
  })
  .refine(
    ({ action, filter: by = {} }) =>
      action === 'cancel' ||
      action === 'retry' ||
      Object.keys(by).every((name) => DEAD_LETTER_CONDITIONS.includes(name)),
    { error: 'dead letters are found by type, queue and fingerprint', path: ['filter'] },
  )
  .meta({
    id: 'StartOperation',
    examples: [
      {
        action: 'replay',
        filter: { type: 'email.send', fingerprint: '5f1d' },
        reason: 'mail server is back',
      },
    ],
  });
export type StartOperationRequest = z.input<typeof startOperationRequest>;

/** Answer of a dry run: nothing was changed. */
export const operationPreview = z
  .object({
    matched: z.int(),
    /** More match than were counted. */
    more: z.boolean(),
    sample: z.array(jobId),
  })
  .meta({ id: 'OperationPreview' });
export type OperationPreview = z.infer<typeof operationPreview>;

export const operation = z
  .object({
    id: z.uuid(),
    action: z.enum(['cancel', 'retry', 'replay', 'purge']),
    status: z.enum(['running', 'done', 'aborted', 'failed']),
    seen: z.int(),
    changed: z.int(),
    refused: z.int().describe('Jobs that could not be changed any more.'),
    by: z.string(),
    error: z.string().nullable(),
    startedAt: time,
    finishedAt: time.nullable(),
  })
  .meta({ id: 'Operation' });
export type Operation = z.infer<typeof operation>;

/** GET /v1/operations */
export const listOperationsQuery = z.strictObject({ limit: pageLimit, cursor: cursor.optional() });
export type ListOperationsQuery = z.input<typeof listOperationsQuery>;

export const operationPage = pageOf(operation).meta({ id: 'OperationPage' });
export type OperationPage = z.infer<typeof operationPage>;
