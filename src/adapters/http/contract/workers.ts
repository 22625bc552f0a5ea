import { z } from 'zod';
import { time, workerId } from './values.ts';

/** PUT and DELETE /v1/workers/{workerId}/quiet: a quiet worker finishes what it has and claims no more. */
export const workerParams = z.strictObject({ workerId });

/** PUT /v1/workers/{workerId}/quiet */
export const quietWorkerRequest = z
  .strictObject({
    terminate: z.boolean().optional().describe('Also release what it has, and stop.'),
  })
  .meta({ id: 'QuietWorker', examples: [{ terminate: true }] });

/** Items of GET /v1/workers: workers that were heard of in the last hour. */
export const worker = z
  .object({
    id: z.string(),
    /** What it is told with its next heartbeat. */
    directive: z.enum(['run', 'quiet', 'terminate']),
    lastSeenAt: time,
  })
  .meta({ id: 'Worker' });
export type Worker = z.infer<typeof worker>;

export const workerList = z.object({ data: z.array(worker) });
export type WorkerList = z.infer<typeof workerList>;
