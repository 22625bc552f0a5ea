import { hash } from 'node:crypto';
import type { AllStreamRecordedEvent } from '@eventstore/db-client';
import type { AppendRequest, NewEvent, StoredEvent } from '../../commands/ports.ts';
import { asJsonText } from '../../domain/json-text.ts';
import type { EventMetadata } from '../../domain/metadata.ts';

/** An event as it lies in the database. */
export interface EncodedEvent {
  readonly id: string;
  readonly type: string;
  readonly contentType: 'application/octet-stream' | 'application/json';
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
}

/** The two ids go by the names that the database's own tools know. */
interface StoredMetadata extends Omit<EventMetadata, 'correlationId' | 'causationId'> {
  readonly $correlationId: string;
  readonly $causationId: string;
  readonly schemaVersion: number;
  /** Where the data end and the content begins. */
  readonly dataBytes: number;
}

const DATA = Buffer.from('{"data":');
const CONTENT = Buffer.from(',"content":');
const END = Buffer.from('}');

/**
 * The body is one JSON document, `{"data":…,"content":…}`, put together from texts and taken apart by counting bytes:
 * nothing is parsed, so big numbers, spaces and the order of keys survive. To the client it is binary, since it would
 * parse and print JSON.
 */
export function encodeEvents({ stream, expectedRevision, events }: AppendRequest): readonly EncodedEvent[] {
  return events.map((event, index) => {
    const data = Buffer.from(event.data);
    const parts = [DATA, data];
    if (event.content !== undefined) parts.push(CONTENT, Buffer.from(event.content));
    return {
      id: eventId(event, stream, expectedRevision + 1 + index),
      type: event.type,
      contentType: 'application/octet-stream',
      data: Buffer.concat([...parts, END]),
      metadata: encodeMetadata(event, data.length),
    };
  });
}

/** Undefined for what this service did not write. */
export function decodeEvent(
  recorded: AllStreamRecordedEvent,
  streamPrefix: string,
  withoutContent = false,
): StoredEvent | undefined {
  const { streamId, type, revision, position, created } = recorded;
  const stored = recorded.metadata as Partial<StoredMetadata> | undefined;
  const body = recorded.data;
  if (!streamId.startsWith(streamPrefix) || !(body instanceof Uint8Array)) return undefined;
  if (stored?.schemaVersion === undefined || stored.dataBytes === undefined) return undefined;
  const { schemaVersion, dataBytes, $correlationId, $causationId, ...metadata } = stored as StoredMetadata;
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const dataEnd = DATA.length + dataBytes;
  const contentStart = dataEnd + CONTENT.length;
  const hasContent = bytes.length > contentStart && !withoutContent;
  return {
    stream: streamId.slice(streamPrefix.length),
    revision: Number(revision),
    position: position.commit,
    recordedAt: created.getTime(),
    type,
    schemaVersion,
    data: bytes.toString('utf8', DATA.length, dataEnd),
    ...(hasContent && {
      content: asJsonText(bytes.toString('utf8', contentStart, bytes.length - END.length)),
    }),
    metadata: { ...metadata, correlationId: $correlationId, causationId: $causationId },
  };
}

/** Counted as the server counts for its limit. */
export function sizeOf(events: readonly EncodedEvent[]): number {
  return events.reduce(
    (sum, { type, data, metadata }) => sum + data.length + metadata.length + 2 * type.length,
    0,
  );
}

function encodeMetadata({ schemaVersion, metadata }: NewEvent, dataBytes: number): Uint8Array {
  const { correlationId, causationId, ...others } = metadata;
  const stored: StoredMetadata = {
    schemaVersion,
    dataBytes,
    $correlationId: correlationId,
    $causationId: causationId,
    ...others,
  };
  return Buffer.from(JSON.stringify(stored));
}

/** The same for a repeated command and for no other: the server knows a repeated append by its events' ids. */
function eventId({ type, metadata }: NewEvent, stream: string, revision: number): string {
  const digest = hash('sha1', `${metadata.causationId}\n${stream}\n${revision}\n${type}`, 'hex');
  const variant = ((Number.parseInt(digest.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
  return [
    digest.slice(0, 8),
    digest.slice(8, 12),
    `5${digest.slice(13, 16)}`,
    `${variant}${digest.slice(18, 20)}`,
    digest.slice(20, 32),
  ].join('-');
}
