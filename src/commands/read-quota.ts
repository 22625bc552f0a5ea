import type { EventLog } from './ports.ts';
import { createQuotaHandler } from './quota-handler.ts';
import { assertTenantId } from './tenant-id.ts';
import type { UseCases } from './use-cases.ts';

/** A tenant's quota as the log has it. The day is that of the last event, which may be over. */
export function createReadQuota({ log }: { readonly log: EventLog }): UseCases['readQuota'] {
  const handler = createQuotaHandler(log);
  return async (tenantId) => {
    assertTenantId(tenantId);
    const { state, revision } = await handler.load(tenantId);
    return { quota: state, revision };
  };
}
