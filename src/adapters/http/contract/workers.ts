import { z } from 'zod';
import { time, workerId } from './values.ts';

/** PUT and DELETE /v1/workers/{workerId}/quiet: a quiet worker finishes what it has and claims no more. */
export const workerParams = z.strictObject({ workerId });

/** Items of GET /v1/workers: workers that were heard of lately. */
export const worker = z
  .object({
    id: z.string(),
    quiet: z.boolean(),
    running: z.int().describe('Leases it holds.'),
    lastSeenAt: time.nullable(),
  })
  .meta({ id: 'Worker' });
export type Worker = z.infer<typeof worker>;

export const workerList = z.object({ data: z.array(worker) });
export type WorkerList = z.infer<typeof workerList>;
