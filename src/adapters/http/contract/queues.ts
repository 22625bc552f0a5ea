import { z } from 'zod';
import { jobStatus } from './jobs.ts';
import { queueName, reason, tenantId, time } from './values.ts';

export const queueParams = z.strictObject({ queue: queueName });

/** GET /v1/queues/{queue}, and the items of GET /v1/queues. */
export const queue = z
  .object({
    name: z.string(),
    tenantId,
    counts: z.record(jobStatus, z.int()),
    paused: z
      .object({ since: time, until: time.nullable(), reason: z.string().nullable(), by: z.string() })
      .nullable(),
    concurrencyLimit: z.int().nullable().describe('Most attempts that may run at once; null: no limit.'),
    oldestReadyAgeMs: z.int().nullable().describe('Age of the oldest job that may run now.'),
  })
  .meta({ id: 'Queue' });
export type Queue = z.infer<typeof queue>;

export const queueList = z.object({ data: z.array(queue) });
export type QueueList = z.infer<typeof queueList>;

/** PATCH /v1/queues/{queue} */
export const limitQueueRequest = z
  .strictObject({ concurrencyLimit: z.int().min(0).max(1_000_000).nullable(), reason: reason.optional() })
  .meta({ id: 'LimitQueue', examples: [{ concurrencyLimit: 10, reason: 'the mail server is slow' }] });

/** PUT /v1/queues/{queue}/pause */
export const pauseQueueRequest = z
  .strictObject({
    reason: reason.optional(),
    until: time.optional().describe('Resumes by itself then; absent: until somebody resumes it.'),
  })
  .meta({
    id: 'PauseQueue',
    examples: [{ reason: 'mail server maintenance', until: '2026-11-21T10:00:00Z' }],
  });

/** DELETE /v1/queues/{queue}/pause */
export const resumeQueueQuery = z.strictObject({ reason: reason.optional() });
