import { z } from 'zod';
import { onExceed, planName, termsRequest } from '../../../commands/plans/plan-terms.ts';
import { reason, tenantId, text, time } from './values.ts';

/** PUT /v1/tenants/{tenant}/quota: a plan, or terms of its own. */
export const putQuotaRequest = z
  .strictObject({ plan: planName.optional(), ...termsRequest, reason: reason.optional() })
  .refine(
    ({ plan, ...terms }) => plan === undefined || Object.keys(terms).every((name) => name === 'reason'),
    { error: 'a plan brings limits, onExceed and weight: give either it or them', path: ['plan'] },
  )
  .refine(({ plan, limits }) => plan !== undefined || limits !== undefined, {
    error: 'give a plan or limits',
    path: ['limits'],
  })
  .meta({
    id: 'PutQuota',
    examples: [{ limits: { jobsPerDay: 10_000, unfinishedJobs: 500 }, onExceed: 'reject', weight: 2 }],
  });
export type PutQuotaRequest = z.input<typeof putQuotaRequest>;

export const quotaReasonQuery = z.strictObject({ reason: reason.optional() });

/** POST /v1/tenants/{tenant}/quota/reset */
export const resetQuotaRequest = z
  .strictObject({ reason })
  .meta({ id: 'ResetQuota', examples: [{ reason: 'their import ran twice through our fault' }] });

const figure = z.int().nullable();
export const limits = z
  .object({
    jobsPerDay: figure,
    unfinishedJobs: figure,
    runningJobs: figure,
    enqueuesPerSecond: figure,
    enqueueBurst: figure,
    payloadBytes: figure,
  })
  .meta({ id: 'QuotaLimits', description: 'null: unlimited.' });

export const usage = z
  .object({
    jobsPerDay: z.int().describe('Enqueued since the last UTC midnight.'),
    ahead: z.int().describe('Accepted for the day after, with onExceed delay.'),
    unfinishedJobs: z.int(),
    runningJobs: z.int().nullable().describe('null: not known at this time.'),
  })
  .meta({ id: 'QuotaUsage' });

export const suspension = z
  .object({
    mode: z.enum(['claims', 'all']).describe('claims: no attempt starts; all: nothing is enqueued, either.'),
    reason: z.string(),
    since: time,
    until: time.nullable(),
  })
  .meta({ id: 'Suspension' });

/** GET /v1/tenants/{tenant}/quota */
export const quota = z
  .object({
    tenantId,
    revision: z.int().describe('−1: nobody has set anything for this tenant yet.'),
    plan: z.string().nullable().describe('null: limits of its own, or none.'),
    limits,
    onExceed,
    weight: z.int(),
    usage,
    resetAt: time.describe('When jobsPerDay begins anew.'),
    suspended: suspension.nullable(),
  })
  .meta({ id: 'Quota' });
export type Quota = z.infer<typeof quota>;

const limitName = z.enum([
  'jobsPerDay',
  'unfinishedJobs',
  'runningJobs',
  'enqueuesPerSecond',
  'enqueueBurst',
  'payloadBytes',
]);

/** What a limit was full of: in the problems `quota-exceeded` and `payload-too-large`. */
export const quotaRefusal = z
  .object({
    limit: limitName,
    value: z.int(),
    used: z.int(),
    resetAt: time.nullable().describe('When there is room again, as far as that is known.'),
  })
  .meta({ id: 'QuotaRefusal' });
export type QuotaRefusalBody = z.infer<typeof quotaRefusal>;

/** In the problem `tenant-paused`. */
export const suspensionRefusal = z
  .object({ reason: z.string(), until: time.nullable() })
  .meta({ id: 'SuspensionRefusal' });

/** PUT /v1/tenants/{tenant}/pause */
export const pauseTenantRequest = z
  .strictObject({
    reason,
    mode: z
      .enum(['claims', 'all'])
      .optional()
      .describe(
        'claims (standard): no attempt starts; all: nothing is enqueued, either. What runs may finish.',
      ),
    until: time.optional().describe('Over by itself then; absent: until somebody resumes the tenant.'),
  })
  .meta({ id: 'PauseTenant', examples: [{ reason: 'invoice 2026-11 is unpaid', mode: 'all' }] });

export const historyCursor = text(200);
