import { z } from 'zod';
import { position, tenantId, time } from './values.ts';

export const projectionName = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, 'must be the name of a projection');
export const projectionParams = z.strictObject({ name: projectionName });

export const tableComparison = z
  .object({
    table: z.string(),
    rows: z.int().describe('Rows shown now.'),
    missing: z.int().describe('Rows that should be there.'),
    unexpected: z.int().describe('Rows that should not be there.'),
    different: z.int().describe('Rows that hold other values.'),
  })
  .meta({ id: 'TableComparison' });
export type TableComparison = z.infer<typeof tableComparison>;

/** A rebuild that runs, or ran last, in the process that answers. */
export const rebuildProgress = z
  .object({
    phase: z.enum([
      'starting',
      'replaying',
      'indexing',
      'comparing',
      'catching_up',
      'swapping',
      'repairing',
      'done',
      'failed',
    ]),
    startedAt: time,
    finishedAt: time.nullable(),
    events: z.int(),
    totalEvents: z.int().describe('Reckoned while it runs.'),
    done: z.number().describe('0 to 1.'),
    eventsPerSecond: z.number(),
    etaMs: z.int().nullable().describe('Time left for the replay; null while nothing can be said.'),
    outcome: z.enum(['swapped', 'replaced', 'frozen', 'dry_run', 'repaired']).nullable(),
    differences: z
      .int()
      .nullable()
      .describe('Rows that differed from the ones shown before; null: not compared.'),
    tables: z.array(tableComparison).nullable().describe('The comparison, table by table.'),
    error: z.string().nullable(),
    errorCode: z.string().nullable().describe('not_comparable: the log alone cannot verify it.'),
  })
  .meta({ id: 'RebuildProgress' });
export type RebuildProgress = z.infer<typeof rebuildProgress>;

/** GET /v1/projections/{name}, and the items of GET /v1/projections. */
export const projection = z
  .object({
    name: z.string(),
    version: z.int(),
    status: z
      .enum(['waiting', 'live', 'catching_up', 'retrying', 'faulted'])
      .describe('waiting: nobody has taken it up yet; faulted: it stands still at an event it cannot apply.'),
    position,
    head: position.describe('Position of the newest event in the log.'),
    lagEvents: z.int().describe('Events it has not applied yet, counted up to 1,000.'),
    lagMs: z.int().describe('Age of the oldest event it has not applied yet.'),
    eventsPerSecond: z.number(),
    lastError: z.object({ message: z.string(), at: time, attempts: z.int() }).nullable(),
    building: z
      .object({ version: z.int(), position })
      .nullable()
      .describe('Tables that are being built beside the live ones, by any process.'),
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
  .meta({ id: 'RebuildProjection', examples: [{ dryRun: true }] });
export type RebuildProjectionRequest = z.input<typeof rebuildProjectionRequest>;

/** POST /v1/projections/{name}/verify: folds the log anew and compares; changes nothing. */
export const verifyProjectionRequest = z
  .strictObject({ tenantId: tenantId.optional() })
  .meta({ id: 'VerifyProjection', examples: [{}] });
export type VerifyProjectionRequest = z.input<typeof verifyProjectionRequest>;

/** POST /v1/projections/{name}/rollback */
export const rolledBack = z
  .object({ name: z.string(), position: position.describe('What the tables shown now stand at.') })
  .meta({ id: 'RolledBack' });
export type RolledBack = z.infer<typeof rolledBack>;
