import { type ChangeQuotaDeps, createChangeQuota } from './change-quota.ts';
import type { UseCases } from './use-cases.ts';

/** Gives a tenant its day back. */
export function createResetQuota(deps: ChangeQuotaDeps): UseCases['resetQuota'] {
  const changeQuota = createChangeQuota(deps);
  return (context, { reason, expectedRevision }) =>
    changeQuota(context, { expectedRevision }, (at) => ({ type: 'ResetQuota', by: 'person', reason, at }));
}
