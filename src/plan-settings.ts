import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { StartupError } from './adapters/process/startup-error.ts';
import { type PlanTerms, planDocument, planName, toTerms } from './commands/plans/plan-terms.ts';
import { setting, wholeNumber } from './setting.ts';

export interface PlanSettings {
  /** JSON file with plans by name; absent: only those made over the API. */
  readonly plansFile?: string | undefined;
  /** Plan of tenants that nothing was ever set for; absent: they have no limits. */
  readonly defaultPlan?: string | undefined;
  /** Tenants that have figures of their own on /metrics; 0: none. Default 20. */
  readonly tenantMetrics?: number | undefined;
}

export const DEFAULT_TENANT_METRICS = 20;

export const PLAN_SETTINGS = {
  PLANS_FILE: setting(
    z.string().optional(),
    '',
    'JSON file with plans, by name. Not set: only those made over the API',
  ),
  DEFAULT_PLAN: setting(
    planName.optional(),
    '',
    'Plan of tenants that nothing was ever set for, given to them at their first enqueue. Not set: they have no limits',
  ),
  TENANT_METRICS: setting(
    wholeNumber(0, 1_000),
    String(DEFAULT_TENANT_METRICS),
    'Tenants that have figures of their own on `/metrics`: those with the most unfinished jobs. All others are one',
  ),
} as const;

type Schemas = { [Name in keyof typeof PLAN_SETTINGS]: (typeof PLAN_SETTINGS)[Name]['schema'] };

export const planSettings = (values: Readonly<z.infer<z.ZodObject<Schemas>>>): PlanSettings => ({
  plansFile: values.PLANS_FILE,
  defaultPlan: values.DEFAULT_PLAN,
  tenantMetrics: values.TENANT_METRICS,
});

const fileSchema = z.record(planName, planDocument);

/** Throws StartupError with everything that is wrong with the file. */
export function readPlans(file: string): ReadonlyMap<string, PlanTerms> {
  const { data, error } = fileSchema.safeParse(jsonIn(file));
  if (data) return new Map(Object.entries(data).map(([name, document]) => [name, toTerms(document)]));
  throw new StartupError('config_invalid', `PLANS_FILE: ${file}: ${z.prettifyError(error)}`);
}

function jsonIn(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new StartupError('config_invalid', `PLANS_FILE: ${file}: ${(error as Error).message}`);
  }
}
