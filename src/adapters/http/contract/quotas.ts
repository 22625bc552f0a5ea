import { z } from 'zod';
import { onExceed, planName, termsRequest } from '../../../commands/plans/plan-terms.ts';
import { limitName } from './quota-refusal.ts';
import { cursor, pageLimit, pageOf, position, reason, tenantId, time } from './values.ts';

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
    revision: z
      .int()
      .nullable()
      .describe('−1: nobody has set anything for this tenant yet; null: with asOf.'),
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

/** GET /v1/tenants/{tenant}/quota */
export const getQuotaQuery = z.strictObject({
  asOf: time.optional().describe('As it was then, by the ledger: usage to the minute.'),
});

/** GET /v1/tenants/{tenant}/quota/history */
export const quotaHistoryQuery = z.strictObject({
  from: time.optional().describe('Inclusive.'),
  to: time.optional().describe('Exclusive.'),
  limit: pageLimit,
  cursor: cursor.optional(),
});
export type QuotaHistoryQuery = z.input<typeof quotaHistoryQuery>;

const terms = z.object({ plan: z.string().nullable(), limits, onExceed, weight: z.int() });

/** What one line of the ledger says happened. */
const quotaChange = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('initialized'), terms, reason: z.string().nullable() }),
  z.object({ kind: z.literal('limits_changed'), terms, reason: z.string().nullable() }),
  z
    .object({
      kind: z.literal('usage'),
      reserved: z.int().describe('Slots taken for jobs that were to be created.'),
      ahead: z.int().describe('Of these, for the day after.'),
      released: z.int().describe('Slots freed, because jobs ended.'),
      adopted: z.int().describe('Jobs that came without a reservation: by a transaction or an event.'),
      revived: z.int().describe('Ended jobs that a person brought back.'),
    })
    .describe('All of one minute.'),
  z
    .object({
      kind: z.literal('exceeded'),
      limit: limitName,
      value: z.int(),
      used: z.int(),
      refused: z.int().describe('Jobs refused or put off since the line before it.'),
      resetAt: time.nullable(),
    })
    .describe('The first refusal of a while, then one line a minute.'),
  z.object({
    kind: z.literal('reset'),
    by: z.enum(['day', 'person']),
    used: z.int(),
    reason: z.string().nullable(),
  }),
  z.object({
    kind: z.literal('suspended'),
    mode: z.enum(['claims', 'all']),
    reason: z.string(),
    until: time.nullable(),
  }),
  z.object({ kind: z.literal('resumed'), reason: z.string().nullable() }),
]);

export const quotaHistoryEntry = z
  .object({
    at: time,
    position,
    actor: z.string().describe('Who did it.'),
    change: quotaChange,
    after: z
      .object({ terms, usage: usage.omit({ runningJobs: true }), suspended: suspension.nullable() })
      .describe('The tenant after it.'),
  })
  .meta({ id: 'QuotaHistoryEntry' });
export type QuotaHistoryEntry = z.infer<typeof quotaHistoryEntry>;

export const quotaHistoryPage = pageOf(quotaHistoryEntry).meta({ id: 'QuotaHistoryPage' });
export type QuotaHistoryPage = z.infer<typeof quotaHistoryPage>;
