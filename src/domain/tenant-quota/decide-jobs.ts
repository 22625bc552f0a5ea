import { accepted, type Decision, rejected } from '../decider.ts';
import type { TenantQuotaCommandOf, TenantQuotaRejection } from './commands.ts';
import { dayOf } from './day.ts';
import type { QuotaReset, TenantQuotaEvent } from './events.ts';
import { headroomOf } from './headroom.ts';
import { isSuspended, type TenantQuota } from './state.ts';

type QuotaDecision = Decision<TenantQuotaEvent, TenantQuotaRejection>;

/** The first ones in the order of the ids get the slots; of those, the last ones count for tomorrow. */
export function reserve(command: TenantQuotaCommandOf<'Reserve'>, quota: TenantQuota): QuotaDecision {
  const { at, reservationId, jobIds, whole } = command;
  if (isSuspended(quota, at) && quota.suspension?.mode === 'all') return rejected('tenant_suspended');
  const { begun, current } = beginDay(quota, at);
  const { today, ahead } = headroomOf(current);
  const granted = Math.min(jobIds.length, today + ahead);
  if (granted < (whole ? jobIds.length : 1)) return rejected('quota_exceeded');
  const postponed = Math.max(0, granted - today);
  return accepted<TenantQuotaEvent>(...begun, {
    type: 'QuotaReserved',
    data: {
      reservationId,
      jobIds: jobIds.slice(0, granted),
      ahead: postponed,
      after: {
        ...current,
        unfinished: current.unfinished + granted,
        usedToday: current.usedToday + granted - postponed,
        usedAhead: current.usedAhead + postponed,
      },
    },
  });
}

/**
 * Counting on from where the last one stopped: a second settler, or the same one after a crash, is refused. What was
 * there before the tenant had a quota holds slots but was not enqueued on this day.
 */
export function settle(command: TenantQuotaCommandOf<'Settle'>, quota: TenantQuota): QuotaDecision {
  const { at, after, through, released, adopted, revived, duplicates } = command;
  if (after !== quota.settledThrough || BigInt(through) <= BigInt(after))
    return rejected('not_settled_there');
  const { begun, current } = beginDay(quota, at);
  const first = quota.settledThrough === '0';
  return accepted<TenantQuotaEvent>(...begun, {
    type: 'QuotaReleased',
    data: {
      through,
      released,
      adopted,
      revived,
      duplicates,
      after: {
        ...current,
        unfinished: current.unfinished + adopted + revived - released,
        usedToday: current.usedToday + (first ? 0 : adopted),
        settledThrough: through,
      },
    },
  });
}

export function reset(command: TenantQuotaCommandOf<'ResetQuota'>, quota: TenantQuota): QuotaDecision {
  const { at, by, reason } = command;
  const { begun, current } = beginDay(quota, at);
  if (by === 'day') return accepted<TenantQuotaEvent>(...begun);
  const { usedToday, usedAhead } = current;
  if (usedToday === 0 && usedAhead === 0) return accepted<TenantQuotaEvent>(...begun);
  return accepted<TenantQuotaEvent>(...begun, {
    type: 'QuotaReset',
    data: { by, used: usedToday, reason, after: { ...current, usedToday: 0, usedAhead: 0 } },
  });
}

/** The state as of the day of `at`. Days only ever begin: a clock that went back stays in the day that has begun. */
export function beginDay(
  quota: TenantQuota,
  at: number,
): { readonly begun: readonly QuotaReset[]; readonly current: TenantQuota } {
  const day = dayOf(at);
  if (day <= quota.day) return { begun: [], current: quota };
  // What was accepted ahead was for the very next day.
  const usedToday = day === quota.day + 1 ? quota.usedAhead : 0;
  const current = { ...quota, day, usedToday, usedAhead: 0 };
  return {
    begun: [{ type: 'QuotaReset', data: { by: 'day', used: quota.usedToday, after: current } }],
    current,
  };
}
