import { z } from 'zod';
import { problem } from './problem.ts';
import {
  anyJson,
  cursor,
  durationMs,
  fingerprint,
  jobId,
  jobType,
  MAX_BATCH,
  maxAttempts,
  pageLimit,
  pageOf,
  priority,
  queryInteger,
  queryList,
  queueName,
  reason,
  tag,
  tags,
  tenantId,
  time,
  workerId,
} from './values.ts';

export const jobStatus = z
  .enum(['scheduled', 'queued', 'running', 'retrying', 'completed', 'cancelled', 'dead_lettered', 'purged'])
  .meta({ id: 'JobStatus' });
export type JobStatus = z.infer<typeof jobStatus>;

/** `standard` stands for the steps 1 s, 5 s, 30 s, 2 min, 10 min. */
export const retryPolicyRequest = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('exponential'),
    baseMs: durationMs.min(1).optional(),
    factor: z.number().min(1).max(10).optional(),
    maxMs: durationMs.min(1).optional(),
  }),
  z.strictObject({ kind: z.literal('fixed'), delayMs: durationMs }),
  z.strictObject({ kind: z.literal('steps'), stepsMs: z.array(durationMs).min(1).max(100) }),
  z.strictObject({ kind: z.literal('standard') }),
  z.strictObject({ kind: z.literal('none') }),
]);
export type RetryPolicyRequest = z.input<typeof retryPolicyRequest>;

export const retryPolicy = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('exponential'), baseMs: z.int(), factor: z.number(), maxMs: z.int() }),
    z.object({ kind: z.literal('fixed'), delayMs: z.int() }),
    z.object({ kind: z.literal('steps'), stepsMs: z.array(z.int()) }),
    z.object({ kind: z.literal('none') }),
  ])
  .meta({ id: 'RetryPolicy' });

/** POST /v1/jobs */
export const enqueueJobRequest = z
  .strictObject({
    type: jobType,
    payload: anyJson.optional().describe('What the worker gets; at most 256 KiB. Absent: null.'),
    queue: queueName.optional().describe('Absent: default.'),
    priority: priority.optional(),
    runAt: time.optional().describe('Absent: as soon as possible.'),
    maxAttempts: maxAttempts.optional(),
    retry: retryPolicyRequest.optional(),
    timeoutMs: durationMs.min(1).optional().describe('Longest time one attempt may take.'),
    deadlineAt: time.optional().describe('Dead-lettered when it is not finished by then.'),
    dedupeKey: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('While an unfinished job has this key, enqueueing answers that job.'),
    tags: tags.optional(),
  })
  .meta({
    id: 'EnqueueJob',
    examples: [
      { type: 'email.send', payload: { to: 'ada@example.com' }, priority: 3, retry: { kind: 'standard' } },
    ],
  });
export type EnqueueJobRequest = z.input<typeof enqueueJobRequest>;

export const jobError = z
  .object({
    type: z.string(),
    message: z.string(),
    stack: z.string().nullable(),
    fingerprint: z.string().describe('Groups errors that are alike.'),
  })
  .meta({ id: 'JobError' });
export type JobError = z.infer<typeof jobError>;

/** A job as it stands after event number `revision` of its history. */
export const job = z
  .object({
    id: jobId,
    tenantId,
    revision: z.int(),
    type: z.string(),
    queue: z.string(),
    priority: z.int(),
    status: jobStatus,
    attempt: z.int().describe('The running attempt, else the one that comes next or came last.'),
    spentAttempts: z.int(),
    maxAttempts: z.int(),
    retry: retryPolicy,
    timeoutMs: z.int().nullable(),
    tags: z.array(z.string()),
    dedupeKey: z.string().nullable(),
    enqueuedAt: time,
    runAt: time,
    deadlineAt: time.nullable(),
    finishedAt: time.nullable(),
    lease: z.object({ workerId: z.string(), startedAt: time, leaseMs: z.int() }).nullable(),
    cancelRequest: z.object({ reason: z.string().nullable(), forceAt: time }).nullable(),
    lastError: jobError.nullable(),
    reason: z.string().nullable().describe('Why it was cancelled, dead-lettered or purged.'),
    payload: anyJson,
    result: anyJson.optional().describe('Present when the worker gave one.'),
  })
  .meta({ id: 'Job' });
export type Job = z.infer<typeof job>;

/** A row of a list: without payload, as of the read model's position. */
export const jobSummary = z
  .object({
    id: jobId,
    tenantId,
    revision: z.int(),
    type: z.string(),
    queue: z.string(),
    priority: z.int(),
    status: jobStatus,
    attempt: z.int(),
    spentAttempts: z.int(),
    maxAttempts: z.int(),
    tags: z.array(z.string()),
    dedupeKey: z.string().nullable(),
    workerId: z.string().nullable(),
    enqueuedAt: time,
    runAt: time,
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
    updatedAt: time,
    lastError: z.object({ type: z.string(), message: z.string(), fingerprint: z.string() }).nullable(),
  })
  .meta({ id: 'JobSummary' });
export type JobSummary = z.infer<typeof jobSummary>;

/** 201 created, 200 when an unfinished job with the same dedupeKey answered. */
export const enqueueJobResponse = job.extend({ deduplicated: z.boolean() }).meta({ id: 'EnqueuedJob' });
export type EnqueueJobResponse = z.infer<typeof enqueueJobResponse>;

/** POST /v1/jobs/bulk */
export const enqueueJobsRequest = z
  .strictObject({
    jobs: z.array(enqueueJobRequest).min(1).max(MAX_BATCH),
    atomic: z.boolean().optional().describe('All are created or none.'),
  })
  .meta({
    id: 'EnqueueJobs',
    examples: [
      {
        jobs: [{ type: 'email.send', payload: { to: 'ada@example.com' } }, { type: 'report.make' }],
        atomic: true,
      },
    ],
  });

export const jobReference = z.object({ id: jobId, revision: z.int(), status: jobStatus });

export const enqueueJobsResponse = z
  .object({
    /** In the order of the request. */
    results: z.array(
      z.discriminatedUnion('status', [
        z.object({ status: z.literal('created'), job: jobReference }),
        z.object({ status: z.literal('deduplicated'), job: jobReference }),
        z.object({ status: z.literal('rejected'), problem }),
      ]),
    ),
    counts: z.object({ created: z.int(), deduplicated: z.int(), rejected: z.int() }),
  })
  .meta({ id: 'EnqueuedJobs' });
export type EnqueueJobsResponse = z.infer<typeof enqueueJobsResponse>;

/** GET /v1/jobs */
export const listJobsQuery = z.strictObject({
  status: queryList(jobStatus).optional(),
  type: jobType.optional(),
  queue: queueName.optional(),
  tag: tag.optional(),
  worker: workerId.optional(),
  error: fingerprint.optional(),
  createdAfter: time.optional(),
  createdBefore: time.optional(),
  limit: pageLimit,
  cursor: cursor.optional(),
});
export type ListJobsQuery = z.input<typeof listJobsQuery>;

export const jobPage = pageOf(jobSummary).meta({ id: 'JobPage' });
export type JobPage = z.infer<typeof jobPage>;

export const jobParams = z.strictObject({ id: jobId });

/** GET /v1/jobs/{id}: as it stands, or as it stood after a revision or at a time. Not both. */
export const getJobQuery = z.strictObject({
  revision: queryInteger(0, 2_147_483_647).optional(),
  asOf: time.optional(),
});

/** POST /v1/jobs/{id}/cancel */
export const cancelJobRequest = z
  .strictObject({
    reason: reason.optional(),
    graceMs: durationMs
      .max(86_400_000)
      .optional()
      .describe('How long a running attempt has to stop before the cancel is forced.'),
  })
  .meta({ id: 'CancelJob', examples: [{ reason: 'the order was withdrawn', graceMs: 10_000 }] });
export type CancelJobRequest = z.input<typeof cancelJobRequest>;

/** POST /v1/jobs/{id}/retry */
export const retryJobRequest = z
  .strictObject({
    runAt: time.optional(),
    payload: anyJson.optional(),
    resetAttempts: z.boolean().optional(),
    reason: reason.optional(),
  })
  .meta({ id: 'RetryJob', examples: [{ runAt: '2026-11-21T09:30:00Z', reason: 'the mail server is back' }] });
export type RetryJobRequest = z.input<typeof retryJobRequest>;

/** PATCH /v1/jobs/{id} */
export const amendJobRequest = z
  .strictObject({
    priority: priority.optional(),
    runAt: time.optional(),
    payload: anyJson.optional(),
    tags: tags.optional(),
    reason: reason.optional(),
  })
  .refine(({ reason: _, ...changes }) => Object.keys(changes).length > 0, 'give at least one field to change')
  .meta({ id: 'AmendJob', examples: [{ priority: 1, tags: ['urgent'], reason: 'the customer waits' }] });
export type AmendJobRequest = z.input<typeof amendJobRequest>;

/** GET /v1/jobs/{id}/attempts */
export const jobAttempt = z
  .object({
    attempt: z.int(),
    startRevision: z.int().describe('Revision of the event that started it.'),
    workerId: z.string(),
    startedAt: time,
    endedAt: time.nullable(),
    outcome: z.enum([
      'running',
      'completed',
      'failed',
      'released',
      'lease_expired',
      'cancelled',
      'dead_lettered',
    ]),
    error: jobError.nullable(),
  })
  .meta({ id: 'JobAttempt' });
export type JobAttempt = z.infer<typeof jobAttempt>;

export const jobAttemptList = z.object({ data: z.array(jobAttempt) });
export type JobAttemptList = z.infer<typeof jobAttemptList>;
