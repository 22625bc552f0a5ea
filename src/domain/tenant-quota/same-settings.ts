import type { LimitName, QuotaTerms } from './limits.ts';
import type { TenantQuota } from './state.ts';

/** Whether what people have set is the same, whatever was used meanwhile. */
export const sameSettings = (a: TenantQuota | undefined, b: TenantQuota | undefined): boolean =>
  a === undefined || b === undefined
    ? a === b
    : sameTerms(a.terms, b.terms) && sameSuspension(a.suspension, b.suspension);

export function sameTerms(a: QuotaTerms, b: QuotaTerms): boolean {
  return (
    a.plan === b.plan &&
    a.onExceed === b.onExceed &&
    a.weight === b.weight &&
    (Object.keys(a.limits) as LimitName[]).every((name) => a.limits[name] === b.limits[name])
  );
}

const sameSuspension = (a: TenantQuota['suspension'], b: TenantQuota['suspension']): boolean =>
  a?.mode === b?.mode && a?.reason === b?.reason && a?.since === b?.since && a?.until === b?.until;
