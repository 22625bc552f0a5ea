import type { EventMetadata } from '../domain/metadata.ts';
import type { CallContext } from './call-context.ts';

/** What the events of a command say about how they came to be. */
export function metadataFor(context: CallContext, occurredAt: number, commandId: string): EventMetadata {
  const { tenantId, actor, correlationId, traceparent } = context;
  return { tenantId, actor, correlationId, causationId: commandId, occurredAt, traceparent };
}

/** The same for what somebody commands, outside the hot paths: it names the request, and audits go by that. */
export const commandMetadataFor = (
  context: CallContext,
  occurredAt: number,
  commandId: string,
): EventMetadata => ({
  ...metadataFor(context, occurredAt, commandId),
  requestId: context.requestId ?? context.correlationId,
});

/** The same for a call about jobs of many tenants: one object for each, which the log then writes down once. */
export function metadataByTenant(
  context: Omit<CallContext, 'tenantId'>,
  occurredAt: number,
  commandId: string,
): (tenantId: string) => EventMetadata {
  const byTenant = new Map<string, EventMetadata>();
  return (tenantId) => {
    const known = byTenant.get(tenantId);
    if (known) return known;
    const metadata = metadataFor({ ...context, tenantId }, occurredAt, commandId);
    byTenant.set(tenantId, metadata);
    return metadata;
  };
}
