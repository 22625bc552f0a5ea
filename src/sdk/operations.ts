import type {
  ListOperationsQuery,
  Operation,
  OperationPage,
  OperationPreview,
  StartOperationRequest,
} from '../adapters/http/contract/operations.ts';
import { type Call, type ConnectionOptions, request } from './http.ts';

/** One action on many jobs. */
export interface OperationsClient {
  /** Answers as soon as it has begun; get() says how far it is. */
  start(order: Omit<StartOperationRequest, 'dryRun'>): Promise<Operation>;
  /** What it would find; changes nothing. */
  preview(order: Omit<StartOperationRequest, 'dryRun'>): Promise<OperationPreview>;
  get(id: string): Promise<Operation>;
  /** What it has changed stays changed. */
  abort(id: string): Promise<Operation>;
  /** One page, newest first. */
  list(query?: Partial<ListOperationsQuery>): Promise<OperationPage>;
}

export function operationsClient(connection: ConnectionOptions): OperationsClient {
  const path = (id: string): string => `/v1/operations/${encodeURIComponent(id)}`;
  const post = <Answer>(body: StartOperationRequest): Promise<Answer> => {
    const headers = { 'idempotency-key': crypto.randomUUID() };
    return request(connection, { method: 'POST', path: '/v1/operations', body, headers });
  };
  return {
    start: (order) => post(order),
    preview: (order) => post({ ...order, dryRun: true }),
    get: (id) => request(connection, { method: 'GET', path: path(id) }),
    abort: (id) => request(connection, { method: 'POST', path: `${path(id)}/abort` }),
    list: (query) =>
      request(connection, { method: 'GET', path: '/v1/operations', query: query as Call['query'] }),
  };
}
