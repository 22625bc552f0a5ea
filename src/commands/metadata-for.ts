import type { EventMetadata } from '../domain/metadata.ts';
import type { CallContext } from './call-context.ts';

/** What the events of a command say about how they came to be. */
export function metadataFor(context: CallContext, occurredAt: number, commandId: string): EventMetadata {
  const { tenantId, actor, correlationId, traceparent } = context;
  return { tenantId, actor, correlationId, causationId: commandId, occurredAt, traceparent };
}
