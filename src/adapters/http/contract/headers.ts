/** Names of the headers that carry more than HTTP itself. */
export const HEADERS = {
  /** Position of the last event of a change; give it to Await-Position to read your own write. */
  eventPosition: 'event-position',
  /** On list queries: wait (≤ 2 s) until the read model has this position. */
  awaitPosition: 'await-position',
  projectionPosition: 'projection-position',
  projectionLagMs: 'projection-lag-ms',
  idempotencyKey: 'idempotency-key',
  idempotentReplayed: 'idempotent-replayed',
  correlationId: 'correlation-id',
  requestId: 'request-id',
} as const;
