import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { SCHEMA_URNS } from '../../src/adapters/cloudevents/data-schema.ts';
import type { Principal } from '../../src/adapters/http/principal.ts';
import { createServer } from '../../src/adapters/http/server.ts';
import { DEFAULT_LIMITS, type Limits, type ServerParts } from '../../src/adapters/http/server-parts.ts';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { systemClock, systemIds } from '../../src/adapters/system.ts';
import { createAcknowledge } from '../../src/commands/acknowledge.ts';
import { createAmendJob } from '../../src/commands/amend-job.ts';
import { createCancelJob } from '../../src/commands/cancel-job.ts';
import { createEnqueueJobs } from '../../src/commands/enqueue-jobs.ts';
import { createJobHandler } from '../../src/commands/job-handler.ts';
import { formatLeaseToken } from '../../src/commands/lease-token.ts';
import { createLimitQueue } from '../../src/commands/limit-queue.ts';
import { createNoteAction } from '../../src/commands/note-action.ts';
import { createPauseQueue } from '../../src/commands/pause-queue.ts';
import { createAssignTerms } from '../../src/commands/plans/assign-terms.ts';
import { createPurgeDeadLetter } from '../../src/commands/purge-dead-letter.ts';
import { createReadJob } from '../../src/commands/read-job.ts';
import { createReadQuota } from '../../src/commands/read-quota.ts';
import { RecentStates } from '../../src/commands/recent-states.ts';
import { createReplayDeadLetter } from '../../src/commands/replay-dead-letter.ts';
import { createResetQuota } from '../../src/commands/reset-quota.ts';
import { createResumeQueue } from '../../src/commands/resume-queue.ts';
import { createResumeTenant } from '../../src/commands/resume-tenant.ts';
import { createRetryJob } from '../../src/commands/retry-job.ts';
import { createSetTerms } from '../../src/commands/set-terms.ts';
import { createSuspendTenant } from '../../src/commands/suspend-tenant.ts';
import { noLogger, noMetrics } from '../../src/commands/telemetry.ts';
import type { Claim, UseCases } from '../../src/commands/use-cases.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import { DEFAULT_TERMS } from '../../src/domain/tenant-quota/limits.ts';
import type { Queries } from '../../src/projections/queries.ts';

/** Keys of the test server: `admin-a` may everything as tenant a, and so on. */
export const PRINCIPALS: Readonly<Record<string, Principal>> = {
  'admin-a': { name: 'admin', auth: 'api_key', tenants: ['a'], role: 'admin' },
  'admin-b': { name: 'admin', auth: 'api_key', tenants: ['b'], role: 'admin' },
  'producer-a': { name: 'producer', auth: 'api_key', tenants: ['a'], role: 'producer' },
  'worker-a': { name: 'worker', auth: 'api_key', tenants: ['a'], role: 'worker' },
  'viewer-a': { name: 'viewer', auth: 'api_key', tenants: ['a'], role: 'viewer' },
  'platform-admin': { name: 'platform admin', auth: 'api_key', tenants: '*', role: 'admin' },
  platform: { name: 'platform', auth: 'api_key', tenants: '*', role: 'operator' },
};

export interface TestApi extends AsyncDisposable {
  readonly app: FastifyInstance;
  readonly parts: ServerParts;
  call(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<LightMyRequestResponse>;
  /** Enqueues a job and claims it. */
  claimOne(): Promise<Claim>;
}

export type TestParts = Omit<Partial<ServerParts>, 'limits' | 'useCases' | 'queries'> & {
  readonly limits?: Partial<Limits>;
  readonly useCases?: Partial<UseCases>;
  readonly queries?: Partial<Queries>;
  /** What quotas the process acts by. */
  readonly known?: ServerParts['tenancy']['known'];
};

/** The API over a log in memory; the read side is what the test gives. */
export async function testApi(given: TestParts = {}): Promise<TestApi> {
  const log = given.log ?? createMemoryEventLog();
  const clock = given.clock ?? systemClock;
  const ids = systemIds();
  const deps = { log, clock, ids };
  const handler = createJobHandler(log);
  const running = new RecentStates();
  const useCases = {
    enqueueJobs: createEnqueueJobs(deps),
    cancelJob: createCancelJob(deps),
    retryJob: createRetryJob(deps),
    amendJob: createAmendJob(deps),
    replayDeadLetter: createReplayDeadLetter(deps),
    purgeDeadLetter: createPurgeDeadLetter(deps),
    pauseQueue: createPauseQueue(deps),
    resumeQueue: createResumeQueue(deps),
    limitQueue: createLimitQueue(deps),
    acknowledge: createAcknowledge({ ...deps, handler, running }),
    setTerms: createSetTerms(deps),
    resetQuota: createResetQuota(deps),
    suspendTenant: createSuspendTenant(deps),
    resumeTenant: createResumeTenant(deps),
    readQuota: createReadQuota(deps),
    claimJobs: async () => [],
    heartbeat: async () => ({ directive: 'run', leases: [] }),
    ...given.useCases,
  } satisfies UseCases;
  const parts: ServerParts = {
    log,
    clock,
    ids,
    dataSchemas: SCHEMA_URNS,
    readJob: createReadJob({ log }),
    projections: {
      list: async () => [],
      rebuild: () => undefined,
      rollback: async () => {
        throw new Error('nothing to roll back');
      },
      waitFor: async () => true,
      freshness: async () => undefined,
    },
    forwarderStatus: { read: async () => Promise.reject(new Error('the test gives no forwarder')) },
    outboxStatus: { read: async () => Promise.reject(new Error('the test gives no outbox')) },
    republisher: { start: async () => Promise.reject(new Error('the test gives no republisher')) },
    republicationStore: { get: async () => undefined, list: async () => [], abort: async () => undefined },
    inbound: NO_INBOX,
    tenancy: {
      plans: {
        list: async () => [],
        get: async () => undefined,
        recent: async () => undefined,
        put: async () => 'taken',
        remove: async () => 'missing',
        replaceFromFile: async () => undefined,
        toApply: async () => undefined,
        applied: async () => undefined,
      },
      defaultPlan: undefined,
      assign: createAssignTerms({ plans: { get: async () => undefined }, useCases, defaultPlan: undefined }),
      ensureTerms: async () => undefined,
      known: given.known ?? (() => ({ state: undefined, revision: -1 })),
      initialTerms: async () => DEFAULT_TERMS,
    },
    workers: { directWorker: async () => false, listWorkers: async () => [] },
    access: {
      keys: {
        list: async () => ({ rows: [], nextCursor: null, prevCursor: null }),
        create: async () => Promise.reject(new Error('the test gives no keys')),
        rotate: async () => ({ kind: 'refused', reason: 'key_not_found' }),
        revoke: async () => ({ kind: 'refused', reason: 'key_not_found' }),
      },
      noteAction: createNoteAction({ log, clock, ids }),
    },
    credentials: { verify: async (token) => PRINCIPALS[token] },
    idempotency: {
      begin: async () => Promise.reject(new Error('the test gives no idempotency store')),
      finish: async () => undefined,
      abandon: async () => undefined,
    },
    operations: {
      start: async () => Promise.reject(new Error('the test gives no operations')),
      preview: async () => ({ matched: 0, more: false, sample: [] }),
    },
    operationStore: {
      get: async () => undefined,
      list: async () => ({ rows: [], nextCursor: null, prevCursor: null }),
      abort: async () => false,
    },
    logger: noLogger,
    metrics: noMetrics,
    metricsText: async () => '',
    healthChecks: [],
    ...given,
    useCases,
    queries: { ...NO_ROWS, ...given.queries },
    limits: { ...DEFAULT_LIMITS, ...given.limits },
  };
  const app = createServer(parts);
  await app.ready();
  return {
    app,
    parts,
    call: (method, url, body, headers = {}) => app.inject(toRequest(method, url, body, headers)),
    async claimOne() {
      const tenantId = 'a';
      const context = { tenantId, actor: { id: 'test', auth: 'in_process' as const }, correlationId: 'test' };
      const enqueued = (await app.inject(toRequest('POST', '/v1/jobs', { type: 't' }, {}))).json<{
        id: string;
      }>();
      const leaseId = ids.secret();
      const at = clock.now();
      const [started] = await handler.handle([
        {
          stream: jobStream(tenantId, enqueued.id),
          command: { type: 'StartJob', workerId: 'w', leaseId, leaseMs: 30_000, at },
          metadata: { ...context, causationId: ids.next(), occurredAt: at },
        },
      ]);
      const job = started?.kind === 'accepted' ? started.state : undefined;
      if (!job || !started || !('type' in job) || !('revision' in started)) throw new Error('not claimed');
      const { revision } = started;
      const leaseToken = formatLeaseToken({ tenantId, jobId: enqueued.id, startRevision: revision, leaseId });
      return {
        leaseToken,
        leaseExpiresAt: at + 30_000,
        snapshot: { tenantId, jobId: enqueued.id, revision, job },
      };
    },
    [Symbol.asyncDispose]: () => app.close(),
  };
}

/** Texts and bytes go as they are, everything else as JSON. */
function toRequest(
  method: NonNullable<InjectOptions['method']>,
  url: string,
  body: unknown,
  headers: Record<string, string>,
): InjectOptions {
  const all: Record<string, string> = { authorization: 'Bearer admin-a', ...headers };
  if (body === undefined) return { method, url, headers: all };
  const payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return { method, url, payload, headers: { 'content-type': 'application/json', ...all } };
}

const EMPTY = { rows: [], nextCursor: null, prevCursor: null };
const NO_ROWS: Queries = {
  listJobs: async () => EMPTY,
  listAttempts: async () => [],
  listDeadLetters: async () => EMPTY,
  getDeadLetter: async () => undefined,
  groupDeadLetters: async () => [],
  listQueues: async () => [],
  getQueue: async () => undefined,
  timeseries: async () => [],
  listAudit: async () => EMPTY,
  usageOf: async () => undefined,
  listTenants: async () => EMPTY,
  quotaHistory: async () => EMPTY,
  balanceAt: async () => undefined,
};

/** Nothing is subscribed to and nothing was put aside. */
export const NO_INBOX: NonNullable<TestParts['inbound']> = {
  handle: async () => Promise.reject(new Error('the test gives no inbox')),
  subscriptions: {
    current: async () => [],
    list: async () => [],
    get: async () => undefined,
    put: async () => 'taken',
    remove: async () => 'missing',
    replaceFromFile: async () => undefined,
  },
  deadLetters: {
    add: async () => [],
    published: async () => undefined,
    list: async () => [],
    listBetween: async () => [],
    get: async () => undefined,
    edit: async () => undefined,
    replayed: async () => undefined,
  },
  consumers: async () => [],
};
