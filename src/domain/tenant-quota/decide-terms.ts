import { accepted, type Decision } from '../decider.ts';
import type { TenantQuotaCommandOf } from './commands.ts';
import type { TenantQuotaEvent } from './events.ts';
import { unheardOf } from './evolve.ts';
import { sameTerms } from './same-settings.ts';
import { isSuspended, type TenantQuota } from './state.ts';

type QuotaDecision = Decision<TenantQuotaEvent, never>;

/** QuotaExceeded is written this often at most, for each limit. */
const EXCEEDED_EVERY_MS = 60_000;

export function setTerms(
  command: TenantQuotaCommandOf<'SetTerms'>,
  quota: TenantQuota | undefined,
): QuotaDecision {
  const { at, terms, reason } = command;
  if (!quota) {
    const after = { ...unheardOf(at), terms };
    return accepted<TenantQuotaEvent>({ type: 'QuotaInitialized', data: { terms, reason, after } });
  }
  if (sameTerms(terms, quota.terms)) return accepted<TenantQuotaEvent>();
  const after = { ...quota, terms };
  return accepted<TenantQuotaEvent>({ type: 'QuotaLimitsChanged', data: { terms, reason, after } });
}

/** Suspending a suspended tenant again changes how, why and how long, not since when. */
export function suspend(command: TenantQuotaCommandOf<'SuspendTenant'>, quota: TenantQuota): QuotaDecision {
  const { at, mode, reason, until } = command;
  const present = isSuspended(quota, at) ? quota.suspension : undefined;
  if (present && present.mode === mode && present.reason === reason && present.until === until)
    return accepted<TenantQuotaEvent>();
  const suspension = { mode, reason, since: present?.since ?? at, until };
  return accepted<TenantQuotaEvent>({
    type: 'TenantSuspended',
    data: { mode, reason, until, after: { ...quota, suspension } },
  });
}

export function resume(command: TenantQuotaCommandOf<'ResumeTenant'>, quota: TenantQuota): QuotaDecision {
  if (!isSuspended(quota, command.at)) return accepted<TenantQuotaEvent>();
  const { suspension: _, ...after } = quota;
  return accepted<TenantQuotaEvent>({ type: 'TenantResumed', data: { reason: command.reason, after } });
}

/** A flood of refusals must not be a flood of events, from however many processes they come. */
export function noteExceeded(
  command: TenantQuotaCommandOf<'NoteExceeded'>,
  quota: TenantQuota,
): QuotaDecision {
  const { at, limit, value, used, refused, resetAt } = command;
  const last = quota.exceededAt[limit];
  // Also when a clock that was ahead wrote the last one.
  if (last !== undefined && Math.abs(at - last) < EXCEEDED_EVERY_MS) return accepted<TenantQuotaEvent>();
  const after = { ...quota, exceededAt: { ...quota.exceededAt, [limit]: at } };
  return accepted<TenantQuotaEvent>({
    type: 'QuotaExceeded',
    data: { limit, value, used, refused, resetAt, after },
  });
}
