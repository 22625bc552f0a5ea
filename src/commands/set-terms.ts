import type { QuotaTerms } from '../domain/tenant-quota/limits.ts';
import { type ChangeQuotaDeps, createChangeQuota } from './change-quota.ts';
import type { UseCases } from './use-cases.ts';

/** Terms that no edge should have let through. */
export class InvalidTermsError extends Error {
  readonly code = 'invalid_terms';
}

/** Sets what a tenant is held to. Throws InvalidTermsError and ContendedError. */
export function createSetTerms(deps: ChangeQuotaDeps): UseCases['setTerms'] {
  const changeQuota = createChangeQuota(deps);
  return async (context, terms, { reason, expectedRevision }) => {
    assertTerms(terms);
    return changeQuota(context, { expectedRevision }, (at) => ({ type: 'SetTerms', terms, reason, at }));
  };
}

const MAX_WEIGHT = 100;

/** Limits are whole numbers from 0; of rate and burst there is at least one, since less would never come. */
export function assertTerms({ limits, weight }: QuotaTerms): void {
  if (!Number.isInteger(weight) || weight < 1 || weight > MAX_WEIGHT)
    throw new InvalidTermsError(`weight must be 1 to ${MAX_WEIGHT}`);
  for (const [name, value] of Object.entries(limits) as [keyof typeof limits, number | null][]) {
    if (value === null) continue;
    const least = name === 'enqueuesPerSecond' || name === 'enqueueBurst' ? 1 : 0;
    if (!Number.isSafeInteger(value) || value < least)
      throw new InvalidTermsError(`${name} must be a whole number from ${least}, or null`);
  }
}
