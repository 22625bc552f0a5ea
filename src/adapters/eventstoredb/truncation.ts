import { randomUUID } from 'node:crypto';
import type { EncodedEvent } from './event-encoding.ts';

/** Metadata that hide the events below a revision and keep what else is set; undefined when nothing is to be hidden. */
export function truncationOf(
  metadata: Readonly<Record<string, unknown>>,
  beforeRevision: number,
): EncodedEvent | undefined {
  if (beforeRevision <= Number(metadata.$tb ?? 0)) return undefined;
  return {
    id: randomUUID(),
    type: '$metadata',
    contentType: 'application/json',
    data: Buffer.from(JSON.stringify({ ...metadata, $tb: beforeRevision })),
    metadata: new Uint8Array(),
  };
}
