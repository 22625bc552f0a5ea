import { z } from 'zod';
import { jobStatus } from './jobs.ts';
import { queueName, time } from './values.ts';

/** GET /v1/stats */
export const stats = z
  .object({
    counts: z.record(jobStatus, z.int()).describe('Jobs of all queues by status.'),
    queues: z.int(),
    pausedQueues: z.int(),
    oldestReadyAgeMs: z.int().nullable(),
  })
  .meta({ id: 'Stats' });
export type Stats = z.infer<typeof stats>;

/** GET /v1/stats/timeseries: at most 1,500 buckets. */
export const timeseriesQuery = z.strictObject({
  from: time.optional().describe('Absent: an hour (or, with bucket=1h, a week) before `to`.'),
  to: time.optional().describe('Absent: now.'),
  bucket: z.enum(['1m', '1h']).default('1m'),
  queue: queueName.optional(),
});
export type TimeseriesQuery = z.input<typeof timeseriesQuery>;

export const timeseries = z
  .object({
    bucketMs: z.int(),
    data: z.array(
      z.object({
        at: time,
        enqueued: z.int(),
        started: z.int(),
        completed: z.int(),
        failed: z.int(),
        deadLettered: z.int(),
        cancelled: z.int(),
      }),
    ),
  })
  .meta({ id: 'Timeseries' });
export type Timeseries = z.infer<typeof timeseries>;
