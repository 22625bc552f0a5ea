import type { UUID } from '@eventstore/db-client/generated/shared_pb.js';
import sharedPb, { type StreamIdentifier } from '@eventstore/db-client/generated/shared_pb.js';
import streamsPb, { type ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import grpc, { type ServiceError } from '@grpc/grpc-js';
import type { Expected, ProposedEvent, RecordedEvent } from './stored-streams.ts';

/** The fields that appends, deletes and tombstones have in common. */
interface WithExpectedRevision {
  hasNoStream(): boolean;
  hasStreamExists(): boolean;
  hasAny(): boolean;
}

interface ProposedMessage {
  getId(): UUID | undefined;
  getMetadataMap(): { get(key: string): string | undefined };
  getData_asU8(): Uint8Array;
  getCustomMetadata_asU8(): Uint8Array;
}

const TICKS_PER_MILLISECOND = 10_000n;

export function nameOf(identifier: StreamIdentifier | undefined): string {
  return Buffer.from(identifier?.getStreamName_asU8() ?? []).toString();
}

export function identifierOf(name: string): StreamIdentifier {
  const identifier = new sharedPb.StreamIdentifier();
  identifier.setStreamName(Uint8Array.from(Buffer.from(name)));
  return identifier;
}

export function expectedOf(options: WithExpectedRevision, exact: string): Expected {
  if (options.hasNoStream()) return 'no_stream';
  if (options.hasStreamExists()) return 'stream_exists';
  return options.hasAny() ? 'any' : Number(exact);
}

export function proposedEventOf(message: ProposedMessage): ProposedEvent {
  const fields = message.getMetadataMap();
  return {
    id: message.getId()?.getString() ?? '',
    type: fields.get('type') ?? '',
    contentType: fields.get('content-type') ?? '',
    data: message.getData_asU8(),
    metadata: message.getCustomMetadata_asU8(),
  };
}

export function eventAnswer(event: RecordedEvent): ReadResp {
  const position = String(event.position);
  const id = new sharedPb.UUID();
  id.setString(event.id);
  const recorded = new streamsPb.ReadResp.ReadEvent.RecordedEvent();
  recorded.setId(id);
  recorded.setStreamIdentifier(identifierOf(event.stream));
  recorded.setStreamRevision(String(event.revision));
  recorded.setCommitPosition(position);
  recorded.setPreparePosition(position);
  recorded.setData(event.data);
  recorded.setCustomMetadata(event.metadata);
  const fields = recorded.getMetadataMap();
  fields.set('type', event.type);
  fields.set('content-type', event.contentType);
  fields.set('created', String(BigInt(event.createdMs) * TICKS_PER_MILLISECOND));
  const resolved = new streamsPb.ReadResp.ReadEvent();
  resolved.setEvent(recorded);
  resolved.setCommitPosition(position);
  const answer = new streamsPb.ReadResp();
  answer.setEvent(resolved);
  return answer;
}

/** An error as the server tells it outside of batches: what it is stands in the trailers. */
export function serverError(
  code: grpc.status,
  details: string,
  trailers: Readonly<Record<string, string>> = {},
): ServiceError {
  const metadata = new grpc.Metadata();
  for (const [key, value] of Object.entries(trailers)) metadata.set(key, value);
  return Object.assign(new Error(details), { code, details, metadata });
}

export const streamDeleted = (name: string): ServiceError =>
  serverError(grpc.status.FAILED_PRECONDITION, `Event stream '${name}' is deleted.`, {
    exception: 'stream-deleted',
    'stream-name': name,
  });
