import type { CallContext } from '../call-context.ts';
import { type Clock, NO_STREAM } from '../ports.ts';
import { type Logger, noLogger } from '../telemetry.ts';
import type { UseCases } from '../use-cases.ts';
import { type PlanStore, termsOf } from './plan-store.ts';

/** Gives a tenant that nothing was ever set for the terms of the default plan; call it before its jobs are enqueued. */
export type EnsureTerms = (tenantId: string, correlationId: string) => Promise<void>;

export interface DefaultTermsDeps {
  readonly plans: Pick<PlanStore, 'recent'>;
  readonly useCases: Pick<UseCases, 'setTerms' | 'readQuota'>;
  /** undefined: tenants begin without limits. */
  readonly defaultPlan: string | undefined;
  readonly clock: Clock;
  readonly logger?: Logger | undefined;
}

const MOST_KNOWN = 100_000;
const WARN_EVERY_MS = 60_000;

/**
 * Costs one read for each tenant and process, and one event for each tenant. Without the plan (nobody has made it yet)
 * tenants begin without limits, and get the plan at their first enqueue after it was made.
 */
export function createEnsureTerms(deps: DefaultTermsDeps): EnsureTerms {
  const { plans, useCases, defaultPlan, clock, logger = noLogger } = deps;
  if (defaultPlan === undefined) return async () => undefined;
  const known = new Set<string>();
  const asking = new Map<string, Promise<void>>();
  let warnedAt = Number.NEGATIVE_INFINITY;

  const ensure = async (tenantId: string, correlationId: string): Promise<void> => {
    if ((await useCases.readQuota(tenantId)).revision === NO_STREAM) {
      const plan = await plans.recent(defaultPlan);
      if (!plan) {
        if (clock.now() - warnedAt >= WARN_EVERY_MS) {
          warnedAt = clock.now();
          logger.warn(
            { plan: defaultPlan },
            'the plan named by DEFAULT_PLAN does not exist: tenants begin without limits',
          );
        }
        return;
      }
      const context: CallContext = { tenantId, actor: { id: 'default-plan', auth: 'system' }, correlationId };
      // Refused: somebody was faster, and knew better.
      await useCases.setTerms(context, termsOf(plan), {
        reason: 'default plan',
        expectedRevision: NO_STREAM,
      });
    }
    if (known.size >= MOST_KNOWN) known.clear();
    known.add(tenantId);
  };

  return (tenantId, correlationId) => {
    if (known.has(tenantId)) return DONE;
    let asked = asking.get(tenantId);
    if (!asked) {
      asked = ensure(tenantId, correlationId).finally(() => asking.delete(tenantId));
      asking.set(tenantId, asked);
    }
    return asked;
  };
}

const DONE = Promise.resolve();
