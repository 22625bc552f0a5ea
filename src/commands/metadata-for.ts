import type { EventMetadata } from '../domain/metadata.ts';
import type { CallContext } from './call-context.ts';
import { assertTenantId } from './tenant-id.ts';

/** What the events of a command say about how they came to be. Throws InvalidTenantError. */
export function metadataFor(context: CallContext, occurredAt: number, commandId: string): EventMetadata {
  const { tenantId, actor, correlationId, traceparent } = context;
  assertTenantId(tenantId);
  return { tenantId, actor, correlationId, causationId: commandId, occurredAt, traceparent };
}
