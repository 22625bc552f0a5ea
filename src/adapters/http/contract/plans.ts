import { z } from 'zod';
import { onExceed, planName, termsRequest } from '../../../commands/plans/plan-terms.ts';
import { limits } from './quotas.ts';
import { reason, time } from './values.ts';

export const planParams = z.strictObject({ name: planName });

/** PUT /v1/plans/{name} */
export const putPlanRequest = z.strictObject({ ...termsRequest, reason: reason.optional() }).meta({
  id: 'PutPlan',
  examples: [{ limits: { jobsPerDay: 1_000, unfinishedJobs: 200, enqueuesPerSecond: 20 }, weight: 1 }],
});
export type PutPlanRequest = z.input<typeof putPlanRequest>;

export const plan = z
  .object({
    name: z.string(),
    revision: z.int(),
    limits,
    onExceed,
    weight: z.int(),
    isDefault: z.boolean().describe('Tenants that nothing was ever set for get it (DEFAULT_PLAN).'),
    fromFile: z.boolean().describe('It is in PLANS_FILE and is changed there.'),
    applied: z.boolean().describe('Every tenant on it has these terms by now.'),
    createdAt: time,
    updatedAt: time,
    updatedBy: z.string().nullable().describe('Only the platform is told; null to others, as is the reason.'),
    reason: z.string().nullable(),
  })
  .meta({ id: 'Plan' });
export type Plan = z.infer<typeof plan>;

export const planList = z.object({ data: z.array(plan) });
export type PlanList = z.infer<typeof planList>;
