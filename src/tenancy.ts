import type pg from 'pg';
import { createPlanStore } from './adapters/postgres/plans.ts';
import type { StageJobs } from './adapters/postgres/staged-jobs.ts';
import { createTenantFigures } from './adapters/postgres/tenant-figures.ts';
import { observeWaits } from './commands/observe-waits.ts';
import { pause } from './commands/pause.ts';
import { type ApplyPlansDeps, createApplyPlans } from './commands/plans/apply-plans.ts';
import { type AssignTerms, createAssignTerms } from './commands/plans/assign-terms.ts';
import { createEnsureTerms, type EnsureTerms } from './commands/plans/default-terms.ts';
import { type PlanStore, termsOf } from './commands/plans/plan-store.ts';
import { warnOfMissingPlan } from './commands/plans/warn-of-missing-plan.ts';
import type { Clock, Ids } from './commands/ports.ts';
import type { QuotaGate } from './commands/quota-gate.ts';
import type { Logger, Metrics } from './commands/telemetry.ts';
import type { UseCases } from './commands/use-cases.ts';
import { DEFAULT_TERMS, type QuotaTerms } from './domain/tenant-quota/limits.ts';
import { DEFAULT_TENANT_METRICS, type PlanSettings, readPlans } from './plan-settings.ts';
import type { QuotaQueries } from './projections/quota-queries.ts';

/** Plans, and which tenant is held to what. */
export interface Tenancy {
  readonly plans: PlanStore;
  readonly defaultPlan: string | undefined;
  /** Warns when there is no such plan. */
  checkDefaultPlan(): Promise<void>;
  readonly assign: AssignTerms;
  /** What a tenant that nothing was ever set for is held to from its first job on. */
  initialTerms(): Promise<QuotaTerms>;
  readonly ensureTerms: EnsureTerms;
  /** What this process acts by, a second old at most. */
  readonly known: QuotaGate['known'];
  /** Use cases that give a new tenant the default plan before its first job. */
  readonly useCases: UseCases;
  /** The same for jobs inside a transaction of the caller's. */
  readonly stageJobs: (stageJobs: StageJobs) => StageJobs;
  /** For one leader at a time. */
  readonly applyPlans: (signal: AbortSignal) => Promise<void>;
  /** Reports what tenants use; for one leader at a time. */
  readonly tenantFigures: (signal: AbortSignal) => Promise<void>;
  /** Writes the plans of the file down. */
  readonly keepFile: (signal: AbortSignal) => Promise<void>;
}

export interface TenancyOptions {
  readonly pool: pg.Pool;
  readonly settings: PlanSettings;
  readonly useCases: UseCases;
  readonly gate: Pick<QuotaGate, 'known' | 'lastKnown'>;
  readonly queries: Pick<QuotaQueries, 'listTenants'>;
  readonly caughtUp: ApplyPlansDeps['caughtUp'];
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** Throws StartupError when the file with plans can't be used. */
export function createTenancy(options: TenancyOptions): Tenancy {
  const { pool, settings, useCases, gate, queries, clock, metrics } = options;
  const { plansFile, defaultPlan, tenantMetrics = DEFAULT_TENANT_METRICS } = settings;
  const fromFile = plansFile === undefined ? undefined : readPlans(plansFile);
  const plans = createPlanStore(pool, clock);
  const ensureTerms = createEnsureTerms({ ...options, plans, defaultPlan });
  const applyPlans = createApplyPlans({
    ...options,
    plans,
    tenantsOn: (plan, page) => queries.listTenants({ plan }, page),
  });
  return {
    plans,
    defaultPlan,
    checkDefaultPlan: () =>
      warnOfMissingPlan({ plans, defaultPlan, inFile: fromFile?.keys() ?? [], logger: options.logger }),
    assign: createAssignTerms({ plans, useCases, defaultPlan }),
    ensureTerms,
    known: (tenantId) => gate.known(tenantId),
    async initialTerms() {
      const plan = defaultPlan === undefined ? undefined : await plans.recent(defaultPlan);
      return plan ? termsOf(plan) : DEFAULT_TERMS;
    },
    useCases: {
      ...useCases,
      claimJobs: observeWaits(useCases.claimJobs, gate, metrics),
      ...(defaultPlan !== undefined && {
        async enqueueJobs(context, ...rest) {
          await ensureTerms(context.tenantId, context.correlationId);
          return useCases.enqueueJobs(context, ...rest);
        },
      }),
    },
    stageJobs: (stageJobs) =>
      defaultPlan === undefined
        ? stageJobs
        : async (client, context, requests) => {
            await ensureTerms(context.tenantId, context.correlationId);
            return stageJobs(client, context, requests);
          },
    applyPlans,
    tenantFigures: createTenantFigures({ pool, clock, metrics, most: tenantMetrics }),
    async keepFile(signal) {
      if (fromFile) await plans.replaceFromFile(fromFile);
      while (!signal.aborted) await pause(60_000, signal);
    },
  };
}
