import type { TenantQuota } from '../../domain/tenant-quota/state.ts';
import { ContendedError } from '../contended-error.ts';
import { CorruptEventError } from '../event-codec.ts';
import { pause } from '../pause.ts';
import type { Ids } from '../ports.ts';
import { type Logger, type Metrics, noLogger, noMetrics } from '../telemetry.ts';
import type { UseCases } from '../use-cases.ts';
import { type Plan, type PlanStore, type PlanToApply, termsOf } from './plan-store.ts';

export interface ApplyPlansDeps {
  readonly plans: Pick<PlanStore, 'list' | 'toApply' | 'applied'>;
  readonly useCases: Pick<UseCases, 'setTerms' | 'readQuota'>;
  /** A page of the tenants on a plan, by a read model; throws an error with code invalid_cursor. */
  readonly tenantsOn: (
    plan: string,
    page: { limit: number; cursor: string | undefined },
  ) => Promise<TenantPage>;
  /** Whether the read model has everything that is in the log by now. */
  readonly caughtUp: () => Promise<boolean>;
  readonly ids: Ids;
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
  /** Between looks for changed plans. */
  readonly everyMs?: number | undefined;
  /** Between looks at all tenants of all plans. */
  readonly recheckMs?: number | undefined;
}

interface TenantPage {
  readonly rows: readonly { readonly tenantId: string; readonly quota: TenantQuota | null }[];
  readonly nextCursor: string | null;
}

const PAGE = 100;
const AT_ONCE = 10;
const MOST_TRIES = 50;

/**
 * Gives the terms of a changed plan to every tenant on it, until the signal aborts. Goes on where it was cut off; for one
 * leader at a time, though two would do no harm. Looks at all tenants of all plans now and then, for those that were put on
 * a plan by a process that died right after.
 */
export function createApplyPlans(deps: ApplyPlansDeps): (signal: AbortSignal) => Promise<void> {
  const { plans, caughtUp, metrics = noMetrics, everyMs = 1_000, recheckMs = 600_000 } = deps;
  return async (signal) => {
    for (let rounds = 1; !signal.aborted; rounds += 1) {
      const next = await plans.toApply();
      metrics.gauge('plans_to_apply', next ? 1 : 0);
      // Tenants that were put on the plan before it changed must be in the list.
      if (next && (await caughtUp())) await applyOne(deps, next, signal);
      else await pause(everyMs, signal);
      if (rounds % Math.ceil(recheckMs / everyMs) === 0)
        for (const plan of await plans.list()) await giveToAll(deps, { plan, upTo: null }, signal);
    }
  };
}

async function applyOne(deps: ApplyPlansDeps, next: PlanToApply, signal: AbortSignal): Promise<void> {
  const { name, revision } = next.plan;
  const save = (upTo: string | null) => deps.plans.applied(name, revision, upTo, false);
  try {
    if (await giveToAll(deps, next, signal, save)) await deps.plans.applied(name, revision, null, true);
  } catch (error) {
    // The list has changed with a new version: from the beginning, which changes nothing for those who have it.
    if (!(error instanceof Error && 'code' in error && error.code === 'invalid_cursor')) throw error;
    await save(null);
  }
}

/** False when the signal cut it off. */
async function giveToAll(
  deps: ApplyPlansDeps,
  { plan, upTo }: PlanToApply,
  signal: AbortSignal,
  save: (upTo: string) => Promise<void> = async () => undefined,
): Promise<boolean> {
  for (let cursor: string | null = upTo ?? ''; cursor !== null; ) {
    if (signal.aborted) return false;
    const page: TenantPage = await deps.tenantsOn(plan.name, { limit: PAGE, cursor: cursor || undefined });
    const stale = page.rows.filter(({ quota }) => quota && !has(quota, plan));
    for (let at = 0; at < stale.length; at += AT_ONCE)
      await Promise.all(
        stale.slice(at, at + AT_ONCE).map(({ tenantId }) => giveIfReadable(deps, plan, tenantId)),
      );
    cursor = page.nextCursor;
    if (cursor !== null) await save(cursor);
  }
  return true;
}

/** A tenant whose stream can't be read keeps what it has; the others must not wait until somebody has seen to it. */
async function giveIfReadable(deps: ApplyPlansDeps, plan: Plan, tenantId: string): Promise<void> {
  try {
    await give(deps, plan, tenantId);
  } catch (err) {
    if (!(err instanceof CorruptEventError)) throw err;
    const { logger = noLogger } = deps;
    logger.error({ err, tenantId, plan: plan.name }, 'tenant cannot be given its plan');
  }
}

/** A busy tenant's stream moves on all the time, but whoever takes it off the plan must win. */
async function give({ useCases, ids, metrics = noMetrics }: ApplyPlansDeps, plan: Plan, tenantId: string) {
  const { name, revision } = plan;
  const context = { tenantId, actor: { id: 'plans', auth: 'system' as const }, correlationId: ids.next() };
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const { quota, revision: expectedRevision } = await useCases.readQuota(tenantId);
    if (!quota || quota.terms.plan !== name || has(quota, plan)) return;
    const reason = `revision ${revision} of plan ${name}`;
    const result = await useCases.setTerms(context, termsOf(plan), { reason, expectedRevision });
    if (result.kind === 'changed') return metrics.count('plan_terms_given_total');
  }
  throw new ContendedError(`quota-${tenantId}`);
}

function has({ terms }: TenantQuota, { limits, onExceed, weight }: Plan): boolean {
  const names = Object.keys(limits) as (keyof typeof limits)[];
  return (
    terms.onExceed === onExceed &&
    terms.weight === weight &&
    names.every((name) => (terms.limits[name] ?? null) === (limits[name] ?? null))
  );
}
