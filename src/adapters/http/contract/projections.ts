import { z } from 'zod';
import { position, tenantId, time } from './values.ts';

export const projectionName = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, 'must be the name of a projection');
export const projectionParams = z.strictObject({ name: projectionName });

export const rebuildProgress = z
  .object({
    phase: z.string(),
    startedAt: time,
    events: z.int(),
    eventsPerSecond: z.number(),
    position,
    target: position,
    /** Estimated; null while unknown. */
    etaMs: z.int().nullable(),
    error: z.string().nullable(),
  })
  .meta({ id: 'RebuildProgress' });
export type RebuildProgress = z.infer<typeof rebuildProgress>;

/** GET /v1/projections/{name}, and the items of GET /v1/projections. */
export const projection = z
  .object({
    name: z.string(),
    version: z.int(),
    position,
    head: position.describe('Position of the newest event in the log.'),
    lagMs: z.int().describe('How far the read model is behind the log; 0 when it has everything.'),
    rebuild: rebuildProgress.nullable(),
  })
  .meta({ id: 'Projection' });
export type Projection = z.infer<typeof projection>;

export const projectionList = z.object({ data: z.array(projection) });
export type ProjectionList = z.infer<typeof projectionList>;

/** POST /v1/projections/{name}/rebuild: whole, or one tenant's rows, or only up to a point; dryRun only compares. */
export const rebuildProjectionRequest = z
  .strictObject({
    tenantId: tenantId.optional(),
    toPosition: position.optional(),
    toTime: time.optional(),
    dryRun: z.boolean().optional(),
  })
  .refine((body) => body.toPosition === undefined || body.toTime === undefined, {
    error: 'give toPosition or toTime, not both',
    path: ['toTime'],
  })
  .meta({ id: 'RebuildProjection' });
export type RebuildProjectionRequest = z.input<typeof rebuildProjectionRequest>;
