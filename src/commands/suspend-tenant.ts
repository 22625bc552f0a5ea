import { type ChangeQuotaDeps, createChangeQuota } from './change-quota.ts';
import type { UseCases } from './use-cases.ts';

/** No attempt of the tenant's jobs starts until it is resumed, or until the given time; attempts that run may finish. */
export function createSuspendTenant(deps: ChangeQuotaDeps): UseCases['suspendTenant'] {
  const changeQuota = createChangeQuota(deps);
  return (context, { mode, reason, until, expectedRevision }) =>
    changeQuota(context, { expectedRevision }, (at) => ({ type: 'SuspendTenant', mode, reason, until, at }));
}
