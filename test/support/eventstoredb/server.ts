import featuresGrpc from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js';
import featuresPb, { type SupportedMethods } from '@eventstore/db-client/generated/serverfeatures_pb.js';
import streamsGrpc from '@eventstore/db-client/generated/streams_grpc_pb.js';
import streamsPb, {
  type DeleteReq,
  type DeleteResp,
  type TombstoneReq,
  type TombstoneResp,
} from '@eventstore/db-client/generated/streams_pb.js';
import grpc, { type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { freePort } from '../running-service.ts';
import {
  type AppendCall,
  answerAppend,
  answerBatchAppends,
  type BatchAppendCall,
  refusal,
} from './append-calls.ts';
import { expectedOf, nameOf, serverError } from './protocol.ts';
import { answerRead, type ReadCall } from './read-calls.ts';
import { StoredStreams } from './stored-streams.ts';
import { answerSubscription } from './subscription-calls.ts';

const VERSION = '23.10.6';
const METHODS = ['Read', 'Append', 'Delete', 'Tombstone', 'BatchAppend'];

/**
 * Stands in for an EventStoreDB where none can run: as much of its protocol as the client uses, answered as a real one
 * answered probe.mjs. Stopping it breaks every connection at once; what was appended is there after the next start.
 */
export class EventStoreDbServer implements AsyncDisposable {
  readonly streams = new StoredStreams();
  /** Servers before 23.10 do not. */
  saysCaughtUp = true;
  #server: grpc.Server | undefined;
  #subscriptions = new Set<ReadCall>();
  #port = 0;

  static async start(): Promise<EventStoreDbServer> {
    const server = new EventStoreDbServer();
    server.#port = await freePort();
    await server.start();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `esdb://127.0.0.1:${this.#port}?tls=false`;
  }

  /** On the port that it had before. */
  async start(): Promise<void> {
    const server = new grpc.Server({ 'grpc.max_receive_message_length': 17 * 1024 * 1024 });
    server.addService(streamsGrpc.StreamsService, {
      read: (call: ReadCall) => this.#read(call),
      append: (call: AppendCall, answer: Parameters<typeof answerAppend>[1]) =>
        answerAppend(call, answer, this.streams),
      batchAppend: (call: BatchAppendCall) => answerBatchAppends(call, this.streams),
      delete: (call: ServerUnaryCall<DeleteReq, DeleteResp>, answer: sendUnaryData<DeleteResp>) =>
        this.#end('delete', call.request, new streamsPb.DeleteResp(), answer),
      tombstone: (call: ServerUnaryCall<TombstoneReq, TombstoneResp>, answer: sendUnaryData<TombstoneResp>) =>
        this.#end('tombstone', call.request, new streamsPb.TombstoneResp(), answer),
    });
    server.addService(featuresGrpc.ServerFeaturesService, {
      getSupportedMethods: (_: unknown, answer: sendUnaryData<SupportedMethods>) =>
        answer(null, supportedMethods()),
    });
    this.#port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${this.#port}`, grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    this.#server = server;
  }

  /** As a killed process would: nothing more is answered. */
  stop(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
    this.#subscriptions.clear();
  }

  /** What a real server does to a subscriber that reads too slowly. Answers how many were dropped. */
  dropSubscriptions(): number {
    const dropped = this.#subscriptions.size;
    const reason =
      'Operation timed out: Consumer too slow to handle event while live. Client resubscription required.';
    for (const call of this.#subscriptions) call.emit('error', serverError(grpc.status.ABORTED, reason));
    this.#subscriptions.clear();
    return dropped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
  }

  #read(call: ReadCall): void {
    call.on('error', () => {});
    if (!call.request.getOptions()?.hasSubscription()) {
      void answerRead(call, this.streams);
      return;
    }
    this.#subscriptions.add(call);
    void answerSubscription(call, this.streams, this.saysCaughtUp).finally(() =>
      this.#subscriptions.delete(call),
    );
  }

  #end<Answer>(
    what: 'delete' | 'tombstone',
    request: DeleteReq | TombstoneReq,
    done: Answer,
    answer: sendUnaryData<Answer>,
  ): void {
    const options = request.getOptions();
    const name = nameOf(options?.getStreamIdentifier());
    const expected = options ? expectedOf(options, options.getRevision()) : 'any';
    const ended =
      what === 'delete' ? this.streams.delete(name, expected) : this.streams.tombstone(name, expected);
    if (ended.kind === 'appended') answer(null, done);
    else answer(refusal(ended, name, expected));
  }
}

function supportedMethods(): SupportedMethods {
  const supported = new featuresPb.SupportedMethods();
  supported.setEventStoreServerVersion(VERSION);
  for (const name of METHODS) {
    const method = new featuresPb.SupportedMethod();
    method.setServiceName('event_store.client.streams.Streams');
    method.setMethodName(name);
    supported.addMethods(method);
  }
  return supported;
}
