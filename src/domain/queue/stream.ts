export const QUEUE_STREAM_PREFIX = 'queue-';

export const queueStream = (tenantId: string, queue: string): string =>
  `${QUEUE_STREAM_PREFIX}${tenantId}.${queue}`;

export interface QueueAddress {
  readonly tenantId: string;
  readonly queue: string;
}

/** The tenant and queue that a stream name stands for; undefined for streams of other aggregates. */
export function parseQueueStream(stream: string): QueueAddress | undefined {
  if (!stream.startsWith(QUEUE_STREAM_PREFIX)) return undefined;
  const dot = stream.indexOf('.');
  if (dot < 0) return undefined;
  return { tenantId: stream.slice(QUEUE_STREAM_PREFIX.length, dot), queue: stream.slice(dot + 1) };
}
