import type {
  CreateKeyRequest,
  Key,
  KeyPage,
  KeyWithToken,
  ListKeysQuery,
  RotateKeyRequest,
} from '../adapters/http/contract/keys.ts';
import { type Call, type ConnectionOptions, request } from './http.ts';

type ListQuery = Partial<ListKeysQuery> & {
  /** Only those for this tenant alone. */
  readonly tenant?: string;
};

/** Keys to the service. Tokens are answered once: calls that make one are never repeated by themselves. */
export interface KeysClient {
  /** One page of those for no other tenants than the caller's; working ones first, then the newest. */
  list(query?: ListQuery): Promise<KeyPage>;
  /** The same, page after page. */
  listAll(query?: ListQuery): AsyncIterable<Key>;
  create(key: CreateKeyRequest): Promise<KeyWithToken>;
  rotate(id: string, rotation?: RotateKeyRequest): Promise<KeyWithToken>;
  /** Refused everywhere within a second. */
  revoke(id: string, reason?: string): Promise<void>;
}

export function keysClient(connection: ConnectionOptions): KeysClient {
  const path = (id: string): string => `/v1/keys/${encodeURIComponent(id)}`;
  const list: KeysClient['list'] = (query = {}) =>
    request(connection, { method: 'GET', path: '/v1/keys', query: query as Call['query'] });
  const once = { ...connection, tries: 1 };
  return {
    list,
    async *listAll(query = {}) {
      let cursor = query.cursor;
      do {
        const page: KeyPage = await list(cursor === undefined ? query : { ...query, cursor });
        yield* page.data;
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
    },
    create: (body) => request(once, { method: 'POST', path: '/v1/keys', body }),
    rotate: (id, body = {}) => request(once, { method: 'POST', path: `${path(id)}/rotate`, body }),
    revoke: (id, reason) => request(connection, { method: 'DELETE', path: path(id), query: { reason } }),
  };
}
