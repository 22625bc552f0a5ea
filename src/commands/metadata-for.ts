import type { EventMetadata } from '../domain/metadata.ts';
import type { CallContext } from './call-context.ts';

/** What the events of a command say about how they came to be. */
export const metadataFor = (context: CallContext, occurredAt: number, commandId: string): EventMetadata => ({
  tenantId: context.tenantId,
  actor: context.actor,
  correlationId: context.correlationId,
  causationId: commandId,
  occurredAt,
  traceparent: context.traceparent,
});
