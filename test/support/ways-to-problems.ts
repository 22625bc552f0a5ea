import type { ProblemCode } from '../../src/adapters/http/problem-catalogue.ts';
import { HttpProblem } from '../../src/adapters/http/problems.ts';
import { createRedaction } from '../../src/adapters/http/redaction.ts';
import { KafkaUnavailableError } from '../../src/adapters/kafka/kafka-unavailable-error.ts';
import { KeySetUnavailableError } from '../../src/adapters/oidc/key-set.ts';
import type { ForwarderState } from '../../src/adapters/postgres/forwarder-status.ts';
import { ContendedError } from '../../src/commands/contended-error.ts';
import type { IdempotencyDecision } from '../../src/commands/idempotency.ts';
import type { ManageKeys } from '../../src/commands/manage-keys.ts';
import { LogOverloadedError, LogUnavailableError } from '../../src/commands/ports.ts';
import type { Refused } from '../../src/commands/use-cases.ts';
import type { ExistingJob } from '../../src/domain/job/state.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { InvalidCursorError } from '../../src/projections/queries.ts';
import { NO_INBOX, type TestApi, type TestParts } from './api.ts';

export const ID = '019340a1-7f3e-7000-8c11-2a3b4c5d6e7f';
export type Request = Parameters<TestApi['call']>;

const failing = (error: Error): TestParts => ({ useCases: { enqueueJobs: () => Promise.reject(error) } });
const refusing = (reason: Refused['reason']): TestParts => ({
  useCases: { amendJob: async () => ({ kind: 'refused', reason }) },
});
const deciding = (decision: IdempotencyDecision): TestParts => ({
  idempotency: { begin: async () => decision, finish: async () => undefined, abandon: async () => undefined },
});
const queries = (error: Error): TestParts => ({ queries: { listJobs: () => Promise.reject(error) } });
const projections = (part: Partial<NonNullable<TestParts['projections']>>): TestParts => ({
  projections: {
    list: async () => [PROJECTION],
    rebuild: () => undefined,
    rollback: async () => Promise.reject(new HttpProblem('nothing-to-roll-back')),
    waitFor: async () => false,
    freshness: async () => undefined,
    ...part,
  },
});
const PROJECTION = {
  name: 'jobs',
  version: 1,
  status: 'live',
  position: 0n,
  head: 0n,
  lagEvents: 0,
  lagMs: 0,
  eventsPerSecond: 0,
  lastError: null,
  building: null,
  rebuild: null,
} as const;

const PLATFORM = { authorization: 'Bearer platform-admin' };

const ENDED_KEYS: ManageKeys = {
  list: async () => ({ rows: [], nextCursor: null, prevCursor: null }),
  create: async () => Promise.reject(new Error('the test makes no keys')),
  rotate: async () => ({ kind: 'refused', reason: 'key_ended' }),
  revoke: async () => ({ kind: 'refused', reason: 'key_ended' }),
};

const GIVEN_UP: ExistingJob = {
  status: 'dead_lettered',
  type: 't',
  queue: 'default',
  priority: 5,
  payload: asJsonText('{"card":4111}'),
  tags: [],
  maxAttempts: 1,
  retry: { kind: 'none' },
  runAt: 0,
  enqueuedAt: 0,
  spentAttempts: 1,
  attempt: 1,
};

const enqueue: Request = ['POST', '/v1/jobs', { type: 't' }];
const enqueueWithKey: Request = ['POST', '/v1/jobs', { type: 't' }, { 'idempotency-key': 'k' }];
const amend: Request = ['PATCH', `/v1/jobs/${ID}`, { priority: 1 }];
const list: Request = ['GET', '/v1/jobs'];
const subscribe: Request = [
  'PUT',
  '/v1/subscriptions/s',
  { topic: 't', action: { kind: 'enqueue', type: 't' } },
];
const refused = (reason: Refused['reason']) => ({ request: amend, parts: refusing(reason) });
const refusedEnqueue = (refusal: Omit<Refused, 'kind'>) => ({
  request: enqueue,
  parts: { useCases: { enqueueJobs: async () => [{ kind: 'refused', ...refusal }] } } satisfies TestParts,
});
const ON_PLAN = {
  tenantId: 'a',
  quota: null,
  revision: null,
  unfinished: 0,
  reserved: 0,
  running: 0,
  usedToday: 0,
  usedAhead: 0,
  resetAt: 0,
  suspended: false,
  position: '0',
  updatedAt: 0,
};

const NOBODY_FORWARDS: ForwarderState = {
  status: 'waiting',
  leader: null,
  position: 0n,
  head: 0n,
  lagEvents: 0,
  lagMs: 0,
  eventsPerSecond: 0,
  undelivered: 0,
  lastError: null,
};

/** A way to each problem. */
export const WAYS: Readonly<
  Record<
    ProblemCode,
    {
      readonly request: Request;
      readonly parts?: TestParts;
      readonly stopping?: true;
      readonly before?: number;
    }
  >
> = {
  'malformed-json': { request: ['POST', '/v1/jobs', '{'] },
  validation: { request: ['POST', '/v1/jobs', {}] },
  'invalid-cursor': { request: ['GET', '/v1/jobs?cursor=x'], parts: queries(new InvalidCursorError()) },
  'tenant-required': { request: ['GET', '/v1/jobs', undefined, { authorization: 'Bearer platform' }] },
  unauthenticated: { request: ['GET', '/v1/jobs', undefined, { authorization: '' }] },
  'too-many-attempts': {
    request: ['GET', '/v1/jobs', undefined, { authorization: 'Bearer guess' }],
    before: 10,
  },
  'key-ended': {
    request: ['POST', '/v1/keys/abcdefghijkl/rotate', {}],
    parts: { access: { keys: ENDED_KEYS, noteAction: async () => 0n } },
  },
  'payload-redacted': {
    request: ['POST', `/v1/dead-letters/${ID}/replay`, { payload: 1 }],
    parts: {
      redactions: { admin: createRedaction([[]], false) },
      readJob: async (tenantId, jobId) => ({ tenantId, jobId, revision: 3, job: GIVEN_UP }),
    },
  },
  forbidden: { request: ['POST', '/v1/jobs', { type: 't' }, { authorization: 'Bearer viewer-a' }] },
  'not-found': { request: ['GET', '/v1/nothing'] },
  'job-not-found': { request: ['GET', `/v1/jobs/${ID}`] },
  'method-not-allowed': { request: ['DELETE', '/v1/jobs'] },
  'not-acceptable': { request: ['GET', '/v1/events/stream', undefined, { accept: 'text/html' }] },
  'idempotency-in-progress': { request: enqueueWithKey, parts: deciding({ kind: 'in_progress' }) },
  'idempotency-key-reused': { request: enqueueWithKey, parts: deciding({ kind: 'mismatch' }) },
  'already-rebuilding': {
    request: ['POST', '/v1/projections/jobs/rebuild', undefined, PLATFORM],
    parts: projections({
      rebuild: () => {
        throw new HttpProblem('already-rebuilding');
      },
    }),
  },
  'nobody-forwards': {
    request: ['POST', '/v1/forwarder/republications', { afterPosition: '0' }],
    parts: {
      credentials: {
        verify: async () => ({ name: 'platform', auth: 'api_key', tenants: '*', role: 'admin' }),
      },
      forwarderStatus: { read: async () => NOBODY_FORWARDS },
    },
  },
  'nothing-to-roll-back': {
    request: ['POST', '/v1/projections/jobs/rollback', undefined, PLATFORM],
    parts: projections({}),
  },
  'quota-exceeded': refusedEnqueue({
    reason: 'quota_exceeded',
    quota: { limit: 'jobsPerDay', value: 5, used: 5 },
  }),
  'batch-above-limit': refusedEnqueue({
    reason: 'batch_above_limit',
    quota: { limit: 'enqueueBurst', value: 5, used: 6 },
  }),
  'tenant-paused': refused('tenant_suspended'),
  'plan-not-found': { request: ['GET', '/v1/plans/none'] },
  'plan-taken': { request: ['PUT', '/v1/plans/p', {}, PLATFORM] },
  'plan-in-use': {
    request: ['DELETE', '/v1/plans/p', undefined, PLATFORM],
    parts: {
      queries: { listTenants: async () => ({ rows: [ON_PLAN], nextCursor: null, prevCursor: null }) },
    },
  },
  contended: { request: enqueue, parts: failing(new ContendedError('job-a.1')) },
  'job-exists': refused('job_exists'),
  'job-finished': refused('job_finished'),
  'job-running': refused('job_running'),
  'job-not-due': refused('job_not_due'),
  'job-waiting': refused('job_waiting'),
  'job-dead-lettered': refused('job_dead_lettered'),
  'not-dead-lettered': refused('not_dead_lettered'),
  'cancel-not-requested': refused('cancel_not_requested'),
  'lease-lost': { request: ['POST', `/v1/jobs/${ID}/complete`, { leaseToken: 'x' }] },
  'revision-mismatch': refused('revision_mismatch'),
  'batch-refused': refused('batch_refused'),
  'payload-too-large': { request: ['POST', '/v1/jobs', { type: 't', payload: 'x'.repeat(300_000) }] },
  'subscription-taken': { request: subscribe },
  'too-many-subscriptions': {
    request: subscribe,
    parts: {
      inbound: { ...NO_INBOX, subscriptions: { ...NO_INBOX.subscriptions, put: async () => 'too_many' } },
    },
  },
  'unsupported-media-type': { request: ['POST', '/v1/jobs', 'x', { 'content-type': 'text/plain' }] },
  'run-at-out-of-range': { request: ['POST', '/v1/jobs', { type: 't', runAt: '9999-01-01T00:00:00Z' }] },
  'too-many-requests': {
    request: ['POST', '/v1/claims', { workerId: 'w', waitMs: 1_000 }],
    parts: { limits: { waitingClaims: 0 } },
  },
  internal: { request: enqueue, parts: failing(new Error('secret detail')) },
  'dependency-unavailable': {
    request: list,
    parts: queries(Object.assign(new Error('secret detail'), { code: 'ECONNREFUSED' })),
  },
  'identity-unavailable': {
    request: list,
    parts: { credentials: { verify: () => Promise.reject(new KeySetUnavailableError()) } },
  },
  'kafka-unavailable': {
    request: ['GET', '/v1/consumers', undefined, PLATFORM],
    parts: { inbound: { ...NO_INBOX, consumers: () => Promise.reject(new KafkaUnavailableError()) } },
  },
  'log-overloaded': { request: enqueue, parts: failing(new LogOverloadedError(2_500)) },
  'log-unavailable': { request: enqueue, parts: failing(new LogUnavailableError('secret detail')) },
  'shutting-down': { request: ['POST', '/v1/claims', { workerId: 'w', waitMs: 1_000 }], stopping: true },
  'projection-behind': {
    request: ['GET', '/v1/jobs', undefined, { 'await-position': '1' }],
    parts: projections({}),
  },
};
