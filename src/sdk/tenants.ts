import type { Plan, PlanList, PutPlanRequest } from '../adapters/http/contract/plans.ts';
import type {
  PutQuotaRequest,
  Quota,
  QuotaHistoryEntry,
  QuotaHistoryPage,
  QuotaHistoryQuery,
} from '../adapters/http/contract/quotas.ts';
import type { ListTenantsQuery, Tenant, TenantPage } from '../adapters/http/contract/tenants.ts';
import { type Call, type ConnectionOptions, request } from './http.ts';

interface OnRevision {
  /** Refuse with revision-mismatch when it has changed since. */
  readonly revision?: number;
}

/** Tenants: what they are held to, what they use. Changing them needs a key of the platform. */
export interface TenantsClient {
  /** One page, by id. */
  list(query?: ListTenantsQuery): Promise<TenantPage>;
  get(id: string): Promise<Tenant>;
  /** As it is, or as it was at a time. */
  quota(id: string, asOf?: Date): Promise<Quota>;
  /** To a plan, or to limits of its own. */
  setQuota(id: string, quota: PutQuotaRequest, options?: OnRevision): Promise<Quota>;
  /** To what new tenants are held to. */
  clearQuota(id: string, options?: OnRevision & { readonly reason?: string }): Promise<Quota>;
  /** Nothing is used of the day. */
  resetQuota(id: string, reason: string): Promise<Quota>;
  /** One page of the ledger, newest first. */
  history(id: string, query?: QuotaHistoryQuery): Promise<QuotaHistoryPage>;
  historyAll(id: string, query?: QuotaHistoryQuery): AsyncIterable<QuotaHistoryEntry>;
  /** `all`: takes no jobs, either. Standard: only starts none. */
  pause(
    id: string,
    options: { readonly reason: string; readonly mode?: 'claims' | 'all'; readonly until?: Date },
  ): Promise<Quota>;
  resume(id: string, reason?: string): Promise<Quota>;
}

export interface PlansClient {
  list(): Promise<readonly Plan[]>;
  get(name: string): Promise<Plan>;
  put(name: string, plan: PutPlanRequest, options?: OnRevision): Promise<Plan>;
  remove(name: string): Promise<void>;
}

export function tenantsClient(connection: ConnectionOptions): TenantsClient {
  const call = caller(connection);
  const path = (id: string, rest = ''): string => `/v1/tenants/${encodeURIComponent(id)}${rest}`;
  const history: TenantsClient['history'] = (id, query = {}) =>
    call('GET', path(id, '/quota/history'), { query: query as Call['query'] });
  return {
    list: ({ suspended, ...query } = {}) =>
      call('GET', '/v1/tenants', {
        query: { ...query, suspended: suspended === undefined ? undefined : String(suspended) },
      }),
    get: (id) => call('GET', path(id)),
    quota: (id, asOf) => call('GET', path(id, '/quota'), { query: { asOf: asOf?.toISOString() } }),
    setQuota: (id, quota, { revision } = {}) =>
      call('PUT', path(id, '/quota'), { body: quota, headers: ifMatch(revision) }),
    clearQuota: (id, { revision, reason } = {}) =>
      call('DELETE', path(id, '/quota'), { query: { reason }, headers: ifMatch(revision) }),
    resetQuota: (id, reason) => call('POST', path(id, '/quota/reset'), { body: { reason } }),
    history,
    async *historyAll(id, query = {}) {
      let cursor = query.cursor;
      do {
        const page: QuotaHistoryPage = await history(id, cursor === undefined ? query : { ...query, cursor });
        yield* page.data;
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
    },
    pause: (id, { until, ...options }) =>
      call('PUT', path(id, '/pause'), { body: { ...options, until: until?.toISOString() } }),
    resume: (id, reason) => call('DELETE', path(id, '/pause'), { query: { reason } }),
  };
}

export function plansClient(connection: ConnectionOptions): PlansClient {
  const call = caller(connection);
  const path = (name: string): string => `/v1/plans/${encodeURIComponent(name)}`;
  return {
    list: async () => (await call<PlanList>('GET', '/v1/plans')).data,
    get: (name) => call('GET', path(name)),
    put: (name, plan, { revision } = {}) =>
      call('PUT', path(name), { body: plan, headers: ifMatch(revision) }),
    remove: (name) => call('DELETE', path(name)),
  };
}

const caller =
  (connection: ConnectionOptions) =>
  <Answer>(method: Call['method'], path: string, more: Partial<Call> = {}): Promise<Answer> =>
    request(connection, { method, path, ...more });

const ifMatch = (revision: number | undefined): Record<string, string> =>
  revision === undefined ? {} : { 'if-match': `"${revision}"` };
