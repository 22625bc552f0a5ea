import type {
  Projection,
  ProjectionList,
  RebuildProjectionRequest,
  RolledBack,
  VerifyProjectionRequest,
} from '../adapters/http/contract/projections.ts';
import { type ConnectionOptions, request } from './http.ts';

/** The read models: how current they are, and building them anew from the log. */
export interface ProjectionsClient {
  list(): Promise<readonly Projection[]>;
  get(name: string): Promise<Projection>;
  /** Answers as soon as it has begun; `rebuild` of get() says how far it is. */
  rebuild(name: string, options?: RebuildProjectionRequest): Promise<Projection>;
  /** Compares every row with a new fold of the log and changes nothing; goes on as rebuild does. */
  verify(name: string, options?: VerifyProjectionRequest): Promise<Projection>;
  /** Shows what the last rebuild replaced, brought up to now. */
  rollback(name: string): Promise<RolledBack>;
}

/** Bringing old tables up to now takes as long as it takes. */
const ROLLBACK_MS = 600_000;

export function projectionsClient(connection: ConnectionOptions): ProjectionsClient {
  const path = (name: string): string => `/v1/projections/${encodeURIComponent(name)}`;
  const start = (name: string, action: string, body: object): Promise<Projection> =>
    request(connection, { method: 'POST', path: `${path(name)}/${action}`, body, headers: once() });
  return {
    async list() {
      const { data } = await request<ProjectionList>(connection, { method: 'GET', path: '/v1/projections' });
      return data;
    },
    get: (name) => request(connection, { method: 'GET', path: path(name) }),
    rebuild: (name, options = {}) => start(name, 'rebuild', options),
    verify: (name, options = {}) => start(name, 'verify', options),
    rollback: (name) =>
      request(connection, {
        method: 'POST',
        path: `${path(name)}/rollback`,
        headers: once(),
        waitMs: ROLLBACK_MS,
      }),
  };
}

const once = () => ({ 'idempotency-key': crypto.randomUUID() });
