import type {
  CreateKeyRequest,
  Key,
  KeyList,
  KeyWithToken,
  RotateKeyRequest,
} from '../adapters/http/contract/keys.ts';
import { type ConnectionOptions, request } from './http.ts';

/** Keys to the service. Tokens are answered once: calls that make one are never repeated by themselves. */
export interface KeysClient {
  /** Those for no other tenants than the caller's; working ones first. */
  list(): Promise<readonly Key[]>;
  create(key: CreateKeyRequest): Promise<KeyWithToken>;
  rotate(id: string, rotation?: RotateKeyRequest): Promise<KeyWithToken>;
  /** Refused everywhere within a second. */
  revoke(id: string, reason?: string): Promise<void>;
}

export function keysClient(connection: ConnectionOptions): KeysClient {
  const path = (id: string): string => `/v1/keys/${encodeURIComponent(id)}`;
  const once = { ...connection, tries: 1 };
  return {
    list: async () => (await request<KeyList>(connection, { method: 'GET', path: '/v1/keys' })).data,
    create: (body) => request(once, { method: 'POST', path: '/v1/keys', body }),
    rotate: (id, body = {}) => request(once, { method: 'POST', path: `${path(id)}/rotate`, body }),
    revoke: (id, reason) => request(connection, { method: 'DELETE', path: path(id), query: { reason } }),
  };
}
