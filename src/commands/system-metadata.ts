import type { EventMetadata } from '../domain/metadata.ts';

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
