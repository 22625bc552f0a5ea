import { unreachable } from '../../domain/decider.ts';
import type { CallContext } from '../call-context.ts';
import type { UseCases } from '../use-cases.ts';
import { type ChangeTenantDeps, changeTenant } from './change-tenant.ts';
import { CommandRefusedError } from './command-refused-error.ts';
import type { InboxLedger } from './inbox-ledger.ts';
import type { InboundEffect } from './plan-effects.ts';
import { ABOUT } from './tenant-action.ts';

export interface CarryOutDeps {
  readonly ledger: InboxLedger;
  readonly useCases: Pick<UseCases, 'cancelJob' | 'retryJob'>;
  readonly tenants: ChangeTenantDeps;
}

/** Has the effect of an event on a job or a tenant, once. Throws CommandRefusedError when it comes to nothing. */
export async function carryOut(
  { ledger, useCases, tenants }: CarryOutDeps,
  effect: InboundEffect,
  action: Exclude<InboundEffect['action'], { kind: 'enqueue' }>,
  context: CallContext,
): Promise<'done' | 'duplicate' | 'outdated'> {
  if (action.kind === 'tenant') {
    const { subscription, event } = effect;
    const { change } = action;
    const decision = {
      about: ABOUT[change.kind],
      occurredAt: event.occurredAt,
      identity: event.identity,
    };
    return ledger.onceInOrder(effect, decision, () => changeTenant(tenants, context, subscription, change));
  }
  const { kind, jobId } = action;
  return (await ledger.once(effect, () => command(useCases, context, kind, jobId))) ? 'done' : 'duplicate';
}

async function command(
  useCases: CarryOutDeps['useCases'],
  context: CallContext,
  kind: 'cancel' | 'retry',
  jobId: string,
): Promise<void> {
  switch (kind) {
    case 'cancel': {
      const done = await useCases.cancelJob(context, jobId, { reason: context.actor.id });
      // Too late is as good as never: it has ended.
      if (done.kind === 'refused' && done.reason !== 'job_finished') {
        throw new CommandRefusedError(kind, jobId, done.reason);
      }
      return;
    }
    case 'retry': {
      const done = await useCases.retryJob(context, jobId, { reason: context.actor.id });
      // It is under way already: by this very event, perhaps, before a crash.
      if (done.kind === 'refused' && done.reason !== 'job_waiting' && done.reason !== 'job_running') {
        throw new CommandRefusedError(kind, jobId, done.reason);
      }
      return;
    }
    default:
      return unreachable(kind);
  }
}
