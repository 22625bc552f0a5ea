import streamsPb, { type ReadReq, type ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import type { ServerWritableStream } from '@grpc/grpc-js';
import { eventAnswer, identifierOf, nameOf, streamDeleted } from './protocol.ts';
import type { RecordedEvent, StoredStreams } from './stored-streams.ts';

export type ReadCall = ServerWritableStream<ReadReq, ReadResp>;

const BACKWARDS = 1;

/** Reads of one stream and of $all that come to an end. */
export async function answerRead(call: ReadCall, streams: StoredStreams): Promise<void> {
  const options = call.request.getOptions();
  const backwards = options?.getReadDirection() === BACKWARDS;
  const most = Number(options?.getCount() ?? 0);
  const found = options?.hasAll() ? allFrom(options, streams) : streamFrom(options, streams);
  if (found === 'stream_deleted') {
    call.emit('error', streamDeleted(nameOf(options?.getStream()?.getStreamIdentifier())));
    return;
  }
  if (found === 'not_found') {
    const notFound = new streamsPb.ReadResp.StreamNotFound();
    notFound.setStreamIdentifier(identifierOf(nameOf(options?.getStream()?.getStreamIdentifier())));
    const answer = new streamsPb.ReadResp();
    answer.setStreamNotFound(notFound);
    call.write(answer);
    call.end();
    return;
  }
  for (const event of (backwards ? found.toReversed() : found).slice(0, most)) {
    if (!(await send(call, eventAnswer(event)))) return;
  }
  call.end();
}

/** Waits until there is room; false when the caller has left. */
export async function send(call: ReadCall, answer: ReadResp): Promise<boolean> {
  if (call.cancelled || call.destroyed) return false;
  if (call.write(answer)) return true;
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of ['drain', 'cancelled', 'close', 'error']) call.once(event, resolve);
  await promise;
  for (const event of ['drain', 'cancelled', 'close', 'error']) call.removeListener(event, resolve);
  return !call.cancelled && !call.destroyed;
}

function streamFrom(options: ReadReq.Options | undefined, streams: StoredStreams) {
  const from = options?.getStream();
  const events = streams.read(nameOf(from?.getStreamIdentifier()));
  if (typeof events === 'string' || !from?.hasRevision()) return events;
  const revision = Number(from.getRevision());
  const backwards = options?.getReadDirection() === BACKWARDS;
  return events.filter((event) => (backwards ? event.revision <= revision : event.revision >= revision));
}

function allFrom(options: ReadReq.Options | undefined, { all }: StoredStreams): readonly RecordedEvent[] {
  const from = options?.getAll();
  const backwards = options?.getReadDirection() === BACKWARDS;
  // From the end forwards and from the start backwards there is nothing.
  if (from?.hasStart()) return backwards ? [] : all;
  if (from?.hasEnd()) return backwards ? all : [];
  const position = BigInt(from?.getPosition()?.getCommitPosition() ?? 0);
  return all.filter((event) => (backwards ? event.position < position : event.position >= position));
}
