import { type BaseOptions, EventStoreDBClient } from '@eventstore/db-client';
import type { CallOptions, ClientOptions, Client as GrpcClient, Metadata } from '@grpc/grpc-js';
import { pause } from '../../commands/pause.ts';

type GrpcClientClass<Service extends GrpcClient> = new (
  address: string,
  credentials: never,
  options?: Partial<ClientOptions>,
) => Service;

/** What the client keeps for its own commands: finding the leader, credentials, connecting again. */
interface ClientInternals {
  GRPCStreamCreator<Service extends GrpcClient, Call>(
    service: GrpcClientClass<Service>,
    name: string,
    create: (service: Service) => Call,
  ): () => Promise<Call>;
  callArguments(options: BaseOptions, callOptions: CallOptions): [Metadata, CallOptions];
}

const DISPOSE_WITHIN_MS = 2_000;

/**
 * One client, and with it one HTTP/2 connection, that can be exchanged for a new one. The old one is left to the calls
 * that it still carries: cancelling them would end their reads early, as if there were no more events.
 */
export class Connection {
  readonly #connectionString: string;
  readonly #replaced = new Set<EventStoreDBClient>();
  #client: EventStoreDBClient;

  constructor(connectionString: string) {
    this.#connectionString = connectionString;
    this.#client = EventStoreDBClient.connectionString(connectionString);
  }

  get client(): EventStoreDBClient {
    return this.#client;
  }

  /** Does nothing when somebody else has replaced this client already. */
  replace(failed: EventStoreDBClient): void {
    if (failed !== this.#client) return;
    for (const older of this.#replaced) void older.dispose().catch(() => {});
    this.#replaced.clear();
    this.#replaced.add(failed);
    this.#client = EventStoreDBClient.connectionString(this.#connectionString);
  }

  /** Ends all calls. The client can wait for ever for a call that nobody reads to its end: not longer than two seconds. */
  async close(): Promise<void> {
    const closed = new AbortController();
    const disposals = [this.#client, ...this.#replaced].map((client) => client.dispose().catch(() => {}));
    await Promise.race([
      Promise.all(disposals).then(() => closed.abort()),
      pause(DISPOSE_WITHIN_MS, closed.signal),
    ]);
  }
}

/** Opens a gRPC call of any service on the client's own connection, with its credentials, and on the leader. */
export function openCall<Service extends GrpcClient, Call>(
  client: EventStoreDBClient,
  service: GrpcClientClass<Service>,
  create: (service: Service, metadata: Metadata, options: CallOptions) => Call,
): Promise<Call> {
  const internals = client as unknown as ClientInternals;
  const [metadata, options] = internals.callArguments(
    { requiresLeader: true },
    { deadline: Number.POSITIVE_INFINITY },
  );
  return internals.GRPCStreamCreator(service, service.name, (made) => create(made, metadata, options))();
}
