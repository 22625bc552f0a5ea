import type { TenantQuotaEvent } from '../../src/domain/tenant-quota/events.ts';
import { unheardOf } from '../../src/domain/tenant-quota/evolve.ts';
import { DEFAULT_TERMS, type QuotaTerms, UNLIMITED } from '../../src/domain/tenant-quota/limits.ts';
import type { TenantQuota } from '../../src/domain/tenant-quota/state.ts';

/** Noon of a UTC day, so that tests stay in it. */
export const NOON = Date.UTC(2026, 4, 4, 12);
export const DAY_MS = 86_400_000;

export const termsOf = (
  limits: Partial<QuotaTerms['limits']>,
  terms: Partial<Omit<QuotaTerms, 'limits'>> = {},
): QuotaTerms => ({ ...DEFAULT_TERMS, ...terms, limits: { ...UNLIMITED, ...limits } });

/** A tenant's quota with everything filled in that a test does not care about. */
export const quotaOf = (terms: QuotaTerms, quota: Partial<TenantQuota> = {}): TenantQuota => ({
  ...unheardOf(NOON),
  terms,
  ...quota,
});

/** A history that leads to this state. */
export const leadingTo = (after: TenantQuota): TenantQuotaEvent => ({
  type: 'QuotaLimitsChanged',
  data: { terms: after.terms, after },
});
