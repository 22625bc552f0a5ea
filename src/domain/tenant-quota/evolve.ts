import { dayOf } from './day.ts';
import type { TenantQuotaEvent } from './events.ts';
import { DEFAULT_TERMS } from './limits.ts';
import type { TenantQuota } from './state.ts';

/** The event says all of it. */
export const evolve = (_quota: TenantQuota | undefined, event: TenantQuotaEvent): TenantQuota =>
  event.data.after;

/** A tenant of whom nothing was said yet. */
export const unheardOf = (at: number): TenantQuota => ({
  terms: DEFAULT_TERMS,
  unfinished: 0,
  day: dayOf(at),
  usedToday: 0,
  usedAhead: 0,
  settledThrough: '0',
  exceededAt: {},
});
