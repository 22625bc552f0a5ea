import type {
  Republication,
  RepublicationList,
  RepublishRequest,
} from '../adapters/http/contract/republications.ts';
import { type ConnectionOptions, request } from './http.ts';

/** Public events sent to Kafka once more. Needs a key for all tenants. */
export interface RepublicationsClient {
  /** Answers as soon as it is accepted; get() says how far it is. */
  start(order: RepublishRequest): Promise<Republication>;
  get(id: string): Promise<Republication>;
  /** What it has sent stays sent. */
  abort(id: string): Promise<Republication>;
  /** The newest first, twenty at most. */
  list(): Promise<readonly Republication[]>;
}

const PATH = '/v1/forwarder/republications';

export function republicationsClient(connection: ConnectionOptions): RepublicationsClient {
  const path = (id: string): string => `${PATH}/${encodeURIComponent(id)}`;
  return {
    start: (order) =>
      request(connection, {
        method: 'POST',
        path: PATH,
        body: order,
        headers: { 'idempotency-key': crypto.randomUUID() },
      }),
    get: (id) => request(connection, { method: 'GET', path: path(id) }),
    abort: (id) => request(connection, { method: 'POST', path: `${path(id)}/abort` }),
    async list() {
      return (await request<RepublicationList>(connection, { method: 'GET', path: PATH })).data;
    },
  };
}
