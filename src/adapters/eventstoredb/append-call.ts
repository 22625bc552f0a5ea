import { randomUUID } from 'node:crypto';
import type { EventStoreDBClient } from '@eventstore/db-client';
import sharedPb, { type UUID } from '@eventstore/db-client/generated/shared_pb.js';
import type { Status } from '@eventstore/db-client/generated/status_pb.js';
import streamsGrpc from '@eventstore/db-client/generated/streams_grpc_pb.js';
import streamsPb, {
  type BatchAppendReq,
  type BatchAppendResp,
} from '@eventstore/db-client/generated/streams_pb.js';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import emptyPb from 'google-protobuf/google/protobuf/empty_pb.js';
import timestampPb from 'google-protobuf/google/protobuf/timestamp_pb.js';
import { type AppendOutcome, NO_STREAM } from '../../commands/ports.ts';
import { openCall } from './connection.ts';
import type { EncodedEvent } from './event-encoding.ts';

export interface EncodedAppend {
  readonly stream: string;
  /** Exact, or `any`. */
  readonly expectedRevision: number | 'any';
  readonly events: readonly EncodedEvent[];
}

/** The server's own word that nothing was written; anything else that fails may have been. */
export class AppendRefusedError extends Error {
  readonly code = 'append_refused';
}

type Call = ClientDuplexStream<BatchAppendReq, BatchAppendResp>;

interface Waiting {
  readonly resolve: (outcome: AppendOutcome) => void;
  readonly reject: (error: Error) => void;
}

/** How late the server may still take up an append. The clocks of the two machines may differ by as much. */
const SERVER_DEADLINE_MS = 60_000;
const PART_BYTES = 512 * 1024;

/**
 * One call of the BatchAppend method that carries many appends at once. The client has such a call itself, but keeps what
 * it waits for in one place for the whole process: a connection that breaks takes down the appends of the others, late
 * answers throw, and a write that waits for room rejects where nobody listens. Here each call settles its own appends
 * and nothing else.
 */
export class AppendCall {
  readonly #call: Call;
  readonly #waiting = new Map<string, Waiting>();
  #ended: Error | undefined;

  static async open(client: EventStoreDBClient): Promise<AppendCall> {
    return new AppendCall(
      await openCall(client, streamsGrpc.StreamsClient, (service, metadata, options) =>
        service.batchAppend(metadata, options),
      ),
    );
  }

  private constructor(call: Call) {
    this.#call = call;
    call.on('data', (answer: BatchAppendResp) => this.#settle(answer));
    call.on('error', (error: Error) => this.#end(error));
    call.on('end', () => this.#end(new Error('the server ended the call')));
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** Rejects with AppendRefusedError, or with any other error when the outcome is not known. */
  append(append: EncodedAppend, timeoutMs: number): Promise<AppendOutcome> {
    if (this.#ended) return Promise.reject(this.#ended);
    const key = randomUUID();
    const { promise, resolve, reject } = Promise.withResolvers<AppendOutcome>();
    const timer = setTimeout(() => {
      this.#waiting.delete(key);
      reject(new AppendTimeoutError(timeoutMs));
    }, timeoutMs);
    this.#waiting.set(key, { resolve, reject });
    for (const part of partsOf(append, key)) this.#call.write(part);
    return promise.finally(() => clearTimeout(timer));
  }

  cancel(): void {
    this.#call.cancel();
    this.#end(new Error('the call was cancelled'));
  }

  #settle(answer: BatchAppendResp): void {
    const key = textOf(answer.getCorrelationId());
    const waiting = this.#waiting.get(key);
    // An answer that comes too late: somebody has settled the append by other means.
    if (!waiting) return;
    this.#waiting.delete(key);
    const success = answer.getSuccess();
    if (success) {
      const revision = Number(success.getCurrentRevision());
      const position = BigInt(success.getPosition()?.getCommitPosition() ?? 0);
      waiting.resolve({ kind: 'appended', revision, position });
      return;
    }
    const outcome = refusalOf(answer.getError());
    if (outcome instanceof Error) waiting.reject(outcome);
    else waiting.resolve(outcome);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(error);
  }
}

export class AppendTimeoutError extends Error {
  constructor(timeoutMs: number) {
    super(`no answer to an append within ${timeoutMs} ms`);
  }
}

/** The details' type tells what it is; there is no message. */
function refusalOf(status: Status | undefined): AppendOutcome | Error {
  const details = status?.getDetails();
  const type = details?.getTypeName() ?? '';
  switch (type) {
    case 'event_store.client.WrongExpectedVersion': {
      const wrong = details?.unpack(sharedPb.WrongExpectedVersion.deserializeBinary, type);
      const exists = wrong?.hasCurrentStreamRevision();
      return {
        kind: 'conflict',
        actualRevision: exists ? Number(wrong?.getCurrentStreamRevision()) : NO_STREAM,
      };
    }
    case 'event_store.client.StreamDeleted':
      return new AppendRefusedError('the stream was deleted for ever');
    case 'event_store.client.AccessDenied':
      return new AppendRefusedError('the credentials do not allow to append');
    case 'event_store.client.MaximumAppendSizeExceeded':
      return new AppendRefusedError('the append is larger than the server allows');
    case 'event_store.client.BadRequest':
    case 'event_store.client.InvalidTransaction':
      return new AppendRefusedError(`the server refused the append: ${type}`);
    default:
      return new Error(`the append failed on the server: ${type || status?.getMessage()}`);
  }
}

function* partsOf(append: EncodedAppend, key: string): Generator<BatchAppendReq> {
  let part = newPart(key);
  part.setOptions(optionsOf(append));
  let bytes = 0;
  for (const event of append.events) {
    const size = event.data.length + event.metadata.length;
    if (bytes > 0 && bytes + size > PART_BYTES) {
      yield part;
      part = newPart(key);
      bytes = 0;
    }
    bytes += size;
    part.addProposedMessages(messageOf(event));
  }
  part.setIsFinal(true);
  yield part;
}

function newPart(key: string): BatchAppendReq {
  const part = new streamsPb.BatchAppendReq();
  part.setCorrelationId(uuidOf(key));
  return part;
}

function optionsOf({ stream, expectedRevision }: EncodedAppend): BatchAppendReq.Options {
  const identifier = new sharedPb.StreamIdentifier();
  identifier.setStreamName(Uint8Array.from(Buffer.from(stream)));
  const options = new streamsPb.BatchAppendReq.Options();
  options.setStreamIdentifier(identifier);
  options.setDeadline(timestampPb.Timestamp.fromDate(new Date(Date.now() + SERVER_DEADLINE_MS)));
  if (expectedRevision === 'any') options.setAny(new emptyPb.Empty());
  else if (expectedRevision === NO_STREAM) options.setNoStream(new emptyPb.Empty());
  else options.setStreamPosition(String(expectedRevision));
  return options;
}

function messageOf({ id, type, contentType, data, metadata }: EncodedEvent): BatchAppendReq.ProposedMessage {
  const message = new streamsPb.BatchAppendReq.ProposedMessage();
  message.setId(uuidOf(id));
  message.getMetadataMap().set('type', type).set('content-type', contentType);
  message.setData(data);
  message.setCustomMetadata(metadata);
  return message;
}

function uuidOf(text: string): UUID {
  const uuid = new sharedPb.UUID();
  uuid.setString(text);
  return uuid;
}

/** The server may answer in either form. */
function textOf(uuid: UUID | undefined): string {
  const structured = uuid?.getStructured();
  if (!structured) return uuid?.getString() ?? '';
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64BE(BigInt.asIntN(64, BigInt(structured.getMostSignificantBits())), 0);
  bytes.writeBigInt64BE(BigInt.asIntN(64, BigInt(structured.getLeastSignificantBits())), 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
