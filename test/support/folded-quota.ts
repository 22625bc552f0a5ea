import { unreachable } from '../../src/domain/decider.ts';
import type { TenantQuotaEvent } from '../../src/domain/tenant-quota/events.ts';
import { DEFAULT_TERMS, type QuotaTerms } from '../../src/domain/tenant-quota/limits.ts';

/** A tenant's totals as they follow from what its events say happened, without looking at the totals they carry. */
export interface FoldedQuota {
  readonly terms: QuotaTerms;
  readonly unfinished: number;
  readonly usedToday: number;
  readonly usedAhead: number;
  readonly settledThrough: string;
  readonly suspended: 'claims' | 'all' | undefined;
}

export const NOTHING_FOLDED: FoldedQuota = {
  terms: DEFAULT_TERMS,
  unfinished: 0,
  usedToday: 0,
  usedAhead: 0,
  settledThrough: '0',
  suspended: undefined,
};

/** `daysOn`: how many days the event's day is after the one before, for days that begin. */
export function foldQuota(quota: FoldedQuota, event: TenantQuotaEvent, daysOn: number): FoldedQuota {
  switch (event.type) {
    case 'QuotaInitialized':
    case 'QuotaLimitsChanged':
      return { ...quota, terms: event.data.terms };
    case 'QuotaReserved': {
      const { jobIds, ahead } = event.data;
      return {
        ...quota,
        unfinished: quota.unfinished + jobIds.length,
        usedToday: quota.usedToday + jobIds.length - ahead,
        usedAhead: quota.usedAhead + ahead,
      };
    }
    case 'QuotaReleased': {
      const { released, adopted, revived, through } = event.data;
      const today = quota.settledThrough === '0' ? 0 : adopted;
      return {
        ...quota,
        unfinished: quota.unfinished - released + adopted + revived,
        usedToday: quota.usedToday + today,
        settledThrough: through,
      };
    }
    case 'QuotaReset': {
      const carried = event.data.by === 'day' && daysOn === 1 ? quota.usedAhead : 0;
      return { ...quota, usedToday: carried, usedAhead: 0 };
    }
    case 'QuotaExceeded':
      return quota;
    case 'TenantSuspended':
      return { ...quota, suspended: event.data.mode };
    case 'TenantResumed':
      return { ...quota, suspended: undefined };
    default:
      return unreachable(event);
  }
}
