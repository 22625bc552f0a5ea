import { DEFAULT_TERMS } from '../../domain/tenant-quota/limits.ts';
import type { CallContext } from '../call-context.ts';
import type { OnRevision, QuotaChanged, QuotaRefused, UseCases } from '../use-cases.ts';
import { type PlanStore, termsOf } from './plan-store.ts';
import type { PlanTerms } from './plan-terms.ts';

export type AssignRefused = QuotaRefused | { readonly kind: 'refused'; readonly reason: 'plan_not_found' };

type Request = { readonly reason?: string | undefined } & OnRevision;

/** Holds the tenant of the context to a plan or to terms of its own. Throws what setTerms throws. */
export interface AssignTerms {
  toPlan(context: CallContext, plan: string, request: Request): Promise<QuotaChanged | AssignRefused>;
  toOwn(context: CallContext, terms: PlanTerms, request: Request): Promise<QuotaChanged | AssignRefused>;
  /** As a tenant that nothing was ever set for: to the default plan, or without limits when there is none. */
  toDefault(context: CallContext, request: Request): Promise<QuotaChanged | AssignRefused>;
}

export interface AssignTermsDeps {
  readonly plans: Pick<PlanStore, 'get'>;
  readonly useCases: Pick<UseCases, 'setTerms'>;
  readonly defaultPlan: string | undefined;
}

const MOST_TRIES = 5;

export function createAssignTerms({ plans, useCases, defaultPlan }: AssignTermsDeps): AssignTerms {
  const toPlan: AssignTerms['toPlan'] = async (context, name, request) => {
    let expectedRevision = request.expectedRevision;
    let plan = await plans.get(name);
    for (let tries = 1; plan; tries += 1) {
      const { revision } = plan;
      const result = await useCases.setTerms(context, termsOf(plan), {
        reason: request.reason,
        expectedRevision,
      });
      if (result.kind === 'refused') return result;
      // Whoever applies a changed plan to its tenants could not know yet that this is one of them.
      plan = await plans.get(name);
      if (!plan || plan.revision === revision || tries === MOST_TRIES) return result;
      expectedRevision = undefined;
    }
    return { kind: 'refused', reason: 'plan_not_found' };
  };
  return {
    toPlan,
    toOwn: (context, terms, request) => useCases.setTerms(context, terms, request),
    toDefault: (context, request) =>
      defaultPlan === undefined
        ? useCases.setTerms(context, DEFAULT_TERMS, request)
        : toPlan(context, defaultPlan, request),
  };
}
