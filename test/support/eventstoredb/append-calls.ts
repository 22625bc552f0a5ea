import sharedPb, { type UUID } from '@eventstore/db-client/generated/shared_pb.js';
import statusPb, { type Status } from '@eventstore/db-client/generated/status_pb.js';
import streamsPb, {
  type AppendReq,
  type AppendResp,
  type BatchAppendReq,
  type BatchAppendResp,
} from '@eventstore/db-client/generated/streams_pb.js';
import grpc, {
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServiceError,
  type sendUnaryData,
} from '@grpc/grpc-js';
import anyPb from 'google-protobuf/google/protobuf/any_pb.js';
import emptyPb from 'google-protobuf/google/protobuf/empty_pb.js';
import { expectedOf, identifierOf, nameOf, proposedEventOf, serverError, streamDeleted } from './protocol.ts';
import {
  type Appended,
  type Expected,
  MOST_APPEND_BYTES,
  type ProposedEvent,
  type StoredStreams,
} from './stored-streams.ts';

export type BatchAppendCall = ServerDuplexStream<BatchAppendReq, BatchAppendResp>;
export type AppendCall = ServerReadableStream<AppendReq, AppendResp>;

interface OpenAppend {
  readonly options: BatchAppendReq.Options;
  readonly events: ProposedEvent[];
}

/** Many appends over one call, each answered by its correlation id once its last part is there. */
export function answerBatchAppends(call: BatchAppendCall, streams: StoredStreams): void {
  const open = new Map<string, OpenAppend>();
  call.on('data', (part: BatchAppendReq) => {
    const id = part.getCorrelationId();
    const key = id?.getString() ?? '';
    const append = open.get(key) ?? {
      options: part.getOptions() ?? new streamsPb.BatchAppendReq.Options(),
      events: [],
    };
    append.events.push(...part.getProposedMessagesList().map(proposedEventOf));
    open.set(key, append);
    if (!part.getIsFinal()) return;
    open.delete(key);
    call.write(answerTo(id, append, streams));
  });
  call.on('end', () => call.end());
  call.on('error', () => {});
}

function answerTo(
  id: UUID | undefined,
  { options, events }: OpenAppend,
  streams: StoredStreams,
): BatchAppendResp {
  const name = nameOf(options.getStreamIdentifier());
  const expected = expectedOf(options, options.getStreamPosition());
  const answer = new streamsPb.BatchAppendResp();
  answer.setCorrelationId(id);
  answer.setStreamIdentifier(identifierOf(name));
  if ((options.getDeadline()?.toDate().getTime() ?? Number.POSITIVE_INFINITY) < Date.now()) {
    answer.setError(statusOf('event_store.client.Timeout', new sharedPb.Timeout()));
    return answer;
  }
  const appended = streams.append(name, expected, events);
  if (appended.kind === 'appended') answer.setSuccess(successOf(appended));
  else answer.setError(errorOf(appended, expected));
  return answer;
}

function successOf({ revision, position }: Extract<Appended, { kind: 'appended' }>): BatchAppendResp.Success {
  const at = new sharedPb.AllStreamPosition();
  at.setCommitPosition(String(position));
  at.setPreparePosition(String(position));
  const success = new streamsPb.BatchAppendResp.Success();
  success.setCurrentRevision(String(revision));
  success.setPosition(at);
  return success;
}

function errorOf(appended: Exclude<Appended, { kind: 'appended' }>, expected: Expected): Status {
  if (appended.kind === 'stream_deleted') {
    return statusOf('event_store.client.StreamDeleted', new sharedPb.StreamDeleted());
  }
  if (appended.kind === 'too_large') {
    const tooLarge = new sharedPb.MaximumAppendSizeExceeded();
    tooLarge.setMaxappendsize(MOST_APPEND_BYTES);
    return statusOf('event_store.client.MaximumAppendSizeExceeded', tooLarge);
  }
  const wrong = new sharedPb.WrongExpectedVersion();
  const none = new emptyPb.Empty();
  if (appended.current === 'no_stream') wrong.setCurrentNoStream(none);
  else wrong.setCurrentStreamRevision(String(appended.current));
  if (expected === 'no_stream') wrong.setExpectedNoStream(none);
  else if (expected === 'stream_exists') wrong.setExpectedStreamExists(none);
  else if (expected === 'any') wrong.setExpectedAny(none);
  else wrong.setExpectedStreamPosition(String(expected));
  return statusOf('event_store.client.WrongExpectedVersion', wrong);
}

function statusOf(type: string, details: { serializeBinary(): Uint8Array }): Status {
  const packed = new anyPb.Any();
  packed.pack(details.serializeBinary(), type);
  const status = new statusPb.Status();
  status.setDetails(packed);
  return status;
}

/** One append by one call: what the client does with credentials of its own. */
export function answerAppend(
  call: AppendCall,
  answer: sendUnaryData<AppendResp>,
  streams: StoredStreams,
): void {
  let options: AppendReq.Options | undefined;
  const events: ProposedEvent[] = [];
  call.on('data', (part: AppendReq) => {
    options ??= part.getOptions();
    const message = part.getProposedMessage();
    if (message) events.push(proposedEventOf(message));
  });
  call.on('end', () => {
    const name = nameOf(options?.getStreamIdentifier());
    const expected = options ? expectedOf(options, options.getRevision()) : 'any';
    const appended = streams.append(name, expected, events);
    if (appended.kind !== 'appended') {
      answer(refusal(appended, name, expected));
      return;
    }
    const at = new streamsPb.AppendResp.Position();
    at.setCommitPosition(String(appended.position));
    at.setPreparePosition(String(appended.position));
    const success = new streamsPb.AppendResp.Success();
    success.setCurrentRevision(String(appended.revision));
    success.setPosition(at);
    const response = new streamsPb.AppendResp();
    response.setSuccess(success);
    answer(null, response);
  });
}

/** Why an append, a delete or a tombstone was refused, in trailers. Revisions are numbers here: -1 means that there is no stream. */
export function refusal(
  refused: Exclude<Appended, { kind: 'appended' }>,
  name: string,
  expected: Expected,
): ServiceError {
  const { FAILED_PRECONDITION, INVALID_ARGUMENT } = grpc.status;
  switch (refused.kind) {
    case 'stream_deleted':
      return streamDeleted(name);
    case 'too_large':
      return serverError(INVALID_ARGUMENT, 'Maximum Append Size Exceeded.', {
        exception: 'maximum-append-size-exceeded',
        'maximum-append-size': String(MOST_APPEND_BYTES),
      });
    case 'wrong_expected_version':
      return serverError(FAILED_PRECONDITION, `Append failed due to WrongExpectedVersion. Stream: ${name}`, {
        exception: 'wrong-expected-version',
        'stream-name': name,
        'expected-version': String(revisionNumber(expected)),
        'actual-version': String(revisionNumber(refused.current)),
      });
  }
}

function revisionNumber(revision: Expected): number {
  if (typeof revision === 'number') return revision;
  return { no_stream: -1, any: -2, stream_exists: -4 }[revision];
}
