import { type BaseOptions, EventStoreDBClient } from '@eventstore/db-client';
import {
  type CallOptions,
  type Channel,
  type ClientOptions,
  connectivityState,
  type Client as GrpcClient,
  type Metadata,
} from '@grpc/grpc-js';
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
  createChannel(): Promise<Channel>;
  callArguments(options: BaseOptions, callOptions: CallOptions): [Metadata, CallOptions];
}

const DISPOSE_WITHIN_MS = 2_000;
/** Where connecting fails at once, a client has to live for a while. */
const SHORTEST_LIFE_MS = 250;
/** A server that accepts connections and says nothing would be left with one more of them each time. */
const CONNECTING_MS = 20_000;
/** The client's own, in milliseconds. */
const KEEP_ALIVE_INTERVAL = 10_000;
const SETTINGS_OF_KEEP_ALIVE = 1_000;
let clients = 0;
/** What each client connects by now. */
const channels = new WeakMap<EventStoreDBClient, Channel>();

/**
 * One client, and with it one HTTP/2 connection, that can be exchanged for a new one. The old one is left to the calls
 * that it still carries: cancelling them would end their reads early, as if there were no more events.
 */
export class Connection {
  readonly #connectionString: string;
  readonly #replaced = new Set<EventStoreDBClient>();
  #client: EventStoreDBClient;
  #since = performance.now();

  constructor(connectionString: string) {
    this.#connectionString = connectionString;
    this.#client = newClient(connectionString);
  }

  get client(): EventStoreDBClient {
    return this.#client;
  }

  /** Does nothing when somebody else has replaced this client already, or it may still connect. */
  replace(failed: EventStoreDBClient): void {
    const isConnecting = channels.get(failed)?.getConnectivityState(false) === connectivityState.CONNECTING;
    const leastMs = isConnecting ? CONNECTING_MS : SHORTEST_LIFE_MS;
    if (failed !== this.#client || performance.now() - this.#since < leastMs) return;
    for (const older of this.#replaced) void end(older);
    this.#replaced.clear();
    this.#replaced.add(failed);
    this.#client = newClient(this.#connectionString);
    this.#since = performance.now();
  }

  /** Ends all calls. The client can wait for ever for a call that nobody reads to its end: not longer than two seconds. */
  async close(): Promise<void> {
    const closed = new AbortController();
    const disposals = [this.#client, ...this.#replaced].map(end);
    await Promise.race([
      Promise.all(disposals).then(() => closed.abort()),
      pause(DISPOSE_WITHIN_MS, closed.signal),
    ]);
  }
}

/**
 * gRPC gives clients with equal settings the same connection: a new client would get the silent one of the old, and wait
 * with it, for up to two minutes, until it may connect again. So no two of ours have the same interval of keeping alive.
 */
function newClient(connectionString: string): EventStoreDBClient {
  clients = (clients + 1) % SETTINGS_OF_KEEP_ALIVE;
  const client = EventStoreDBClient.connectionString(withKeepAlive(connectionString, clients));
  const internals = client as unknown as ClientInternals;
  const { createChannel } = internals;
  internals.createChannel = async () => {
    const channel = await createChannel();
    channels.set(client, channel);
    return channel;
  };
  return client;
}

function withKeepAlive(connectionString: string, moreMs: number): string {
  const given = /([?&]keepAliveInterval=)(-?\d+)/i;
  if (!given.test(connectionString)) {
    const separator = connectionString.includes('?') ? '&' : '?';
    return `${connectionString}${separator}keepAliveInterval=${KEEP_ALIVE_INTERVAL + moreMs}`;
  }
  return connectionString.replace(given, (setting: string, name: string, ms: string) =>
    Number(ms) > 0 ? `${name}${Number(ms) + moreMs}` : setting,
  );
}

/** Cancels what the client still carries. It leaves its connection open by itself. */
async function end(client: EventStoreDBClient): Promise<void> {
  const disposed = client.dispose();
  channels.get(client)?.close();
  await disposed.catch(() => {});
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
