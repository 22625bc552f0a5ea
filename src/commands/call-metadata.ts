import type { EventMetadata } from '../domain/metadata.ts';
import type { CallContext } from './call-context.ts';

/** Metadata of the events that one command of a caller writes. */
export const callMetadata = (
  context: Omit<CallContext, 'tenantId'>,
  tenantId: string,
  causationId: string,
  occurredAt: number,
): EventMetadata => ({
  tenantId,
  actor: context.actor,
  correlationId: context.correlationId,
  causationId,
  occurredAt,
  ...(context.traceparent !== undefined && { traceparent: context.traceparent }),
});

/** Metadata of what the service does by itself, for example because a time has come. */
export const systemMetadata = (
  task: string,
  tenantId: string,
  causationId: string,
  occurredAt: number,
): EventMetadata => ({
  tenantId,
  actor: { id: task, auth: 'system' },
  correlationId: causationId,
  causationId,
  occurredAt,
});
