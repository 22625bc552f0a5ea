import { type ChangeQuotaDeps, createChangeQuota } from './change-quota.ts';
import type { UseCases } from './use-cases.ts';

export function createResumeTenant(deps: ChangeQuotaDeps): UseCases['resumeTenant'] {
  const changeQuota = createChangeQuota(deps);
  return (context, { reason, expectedRevision }) =>
    changeQuota(context, { expectedRevision }, (at) => ({ type: 'ResumeTenant', reason, at }));
}
