import { unreachable } from '../../domain/decider.ts';
import { isSuspended, type Suspension } from '../../domain/tenant-quota/state.ts';
import type { CallContext } from '../call-context.ts';
import { ContendedError } from '../contended-error.ts';
import type { AssignRefused, AssignTerms } from '../plans/assign-terms.ts';
import type { EnsureTerms } from '../plans/default-terms.ts';
import { type Clock, NO_STREAM } from '../ports.ts';
import type { QuotaChanged, UseCases } from '../use-cases.ts';
import { CommandRefusedError } from './command-refused-error.ts';
import type { TenantChange } from './tenant-action.ts';

export interface ChangeTenantDeps {
  readonly useCases: Pick<UseCases, 'readQuota' | 'suspendTenant' | 'resumeTenant'>;
  readonly assign: AssignTerms;
  readonly ensureTerms: EnsureTerms;
  readonly clock: Clock;
}

/** A busy tenant's stream moves on all the time. */
const MOST_TRIES = 50;

/**
 * Does to the tenant of the context what an event of this subscription means. Repeating it changes nothing. Throws
 * CommandRefusedError when there is no such plan.
 */
export async function changeTenant(
  deps: ChangeTenantDeps,
  context: CallContext,
  subscription: string,
  change: TenantChange,
): Promise<void> {
  const { tenantId } = context;
  const { assign, ensureTerms, useCases } = deps;
  const reason = `event for ${subscription}`;
  switch (change.kind) {
    case 'initialize-tenant': {
      const { revision } = await useCases.readQuota(tenantId);
      if (revision === NO_STREAM) {
        const first = { reason, expectedRevision: NO_STREAM };
        const { plan } = change;
        const result = await (plan === undefined
          ? assign.toDefault(context, first)
          : assign.toPlan(context, plan, first));
        refuseUnknownPlan(result, tenantId, plan);
      }
      if (change.closedBy !== undefined) await resume(deps, context, change.closedBy, reason);
      return;
    }
    case 'set-plan':
      return refuseUnknownPlan(await assign.toPlan(context, change.plan, { reason }), tenantId, change.plan);
    case 'suspend-tenant': {
      await ensureTerms(tenantId, context.correlationId);
      const { mode } = change;
      const why = ownReason(subscription, change.reason);
      return atCurrent(deps, tenantId, (suspension, expectedRevision) =>
        suspension && !isOwn(suspension, subscription) && isAsStrict(suspension, mode)
          ? undefined
          : useCases.suspendTenant(context, { mode, reason: why, expectedRevision }),
      );
    }
    case 'close-tenant': {
      await ensureTerms(tenantId, context.correlationId);
      const why = ownReason(subscription, change.reason);
      await useCases.suspendTenant(context, { mode: 'all', reason: why });
      return;
    }
    case 'resume-tenant':
      return resume(deps, context, change.suspendedBy, reason);
    default:
      return unreachable(change);
  }
}

const resume = (
  deps: ChangeTenantDeps,
  context: CallContext,
  suspendedBy: string,
  reason: string,
): Promise<void> =>
  atCurrent(deps, context.tenantId, (suspension, expectedRevision) =>
    suspension && isOwn(suspension, suspendedBy)
      ? deps.useCases.resumeTenant(context, { reason, expectedRevision })
      : undefined,
  );

/** Who suspended the tenant shows by the reason, so that nobody ends what somebody else has begun. */
const ownReason = (subscription: string, reason: string): string => `${subscription}: ${reason}`;
const isOwn = ({ reason }: Suspension, subscription: string): boolean =>
  reason.startsWith(ownReason(subscription, ''));

const isAsStrict = ({ mode, until }: Suspension, wanted: 'claims' | 'all'): boolean =>
  until === undefined && (mode === 'all' || mode === wanted);

/** Decides on the suspension in force until nobody comes between; undefined: nothing to do. */
async function atCurrent(
  { useCases, clock }: ChangeTenantDeps,
  tenantId: string,
  attempt: (
    suspension: Suspension | undefined,
    revision: number,
  ) => Promise<QuotaChanged | AssignRefused> | undefined,
): Promise<void> {
  for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
    const { quota, revision } = await useCases.readQuota(tenantId);
    const suspension = quota && isSuspended(quota, clock.now()) ? quota.suspension : undefined;
    const result = await attempt(suspension, revision);
    if (result?.kind !== 'refused') return;
  }
  throw new ContendedError(`quota-${tenantId}`);
}

function refuseUnknownPlan(
  result: QuotaChanged | AssignRefused,
  tenantId: string,
  plan = 'DEFAULT_PLAN',
): void {
  if (result.kind === 'refused' && result.reason === 'plan_not_found')
    throw new CommandRefusedError('set-plan', `${tenantId} ${plan}`, result.reason);
}
