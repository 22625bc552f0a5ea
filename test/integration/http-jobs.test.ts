import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Job } from '../../src/adapters/http/contract/jobs.ts';
import type { Problem } from '../../src/adapters/http/contract/problem.ts';
import type { JobFilter, JobRow, PageRequest } from '../../src/projections/queries.ts';
import { type TestApi, testApi } from '../support/api.ts';

let now = Date.UTC(2026, 10, 21, 9, 0);
let api: TestApi;
let asked: { tenantId: string; filter: JobFilter; page: PageRequest } | undefined;

const ROW: JobRow = {
  tenantId: 'a',
  jobId: '019340a1-7f3e-7000-8c11-2a3b4c5d6e7f',
  revision: 0,
  type: 't',
  queue: 'default',
  priority: 5,
  status: 'scheduled',
  attempt: 1,
  spentAttempts: 0,
  maxAttempts: 3,
  tags: [],
  dedupeKey: null,
  workerId: null,
  enqueuedAt: now,
  runAt: now + 60_000,
  startedAt: null,
  finishedAt: null,
  updatedAt: now,
  lastError: null,
};

beforeEach(async () => {
  now = Date.UTC(2026, 10, 21, 9, 0);
  asked = undefined;
  api = await testApi({
    clock: { now: () => now },
    queries: {
      async listJobs(tenantId, filter, page) {
        asked = { tenantId, filter, page };
        return { rows: [ROW], nextCursor: 'n+1', prevCursor: null };
      },
    },
    projections: {
      list: async () => [],
      rebuild: () => undefined,
      rollback: async () => {
        throw new Error('nothing to roll back');
      },
      waitFor: async (_name, position) => position < 100n,
      freshness: async () => ({ position: 7n, lagMs: 12.4 }),
    },
  });
});
afterEach(() => api[Symbol.asyncDispose]());
async function enqueue(body: object = {}): Promise<Job> {
  const response = await api.call('POST', '/v1/jobs', { type: 't', ...body });
  expect(response.statusCode, response.body).toBe(201);
  return response.json<Job>();
}

const codeOf = (response: { json<T>(): T }): string => response.json<Problem>().code;
describe('enqueueing', () => {
  it('answers the job, where it is, its revision and its place in the log', async () => {
    const response = await api.call('POST', '/v1/jobs', {
      type: 't',
      retry: { kind: 'standard' },
      runAt: '2026-11-21T10:00:00+01:00',
    });
    const job = response.json<Job & { deduplicated: boolean }>();
    expect(response.statusCode).toBe(201);
    expect(response.headers).toMatchObject({
      location: `/v1/jobs/${job.id}`,
      etag: '"0"',
      'event-position': '1',
    });
    expect(job).toMatchObject({
      tenantId: 'a',
      status: 'queued',
      runAt: '2026-11-21T09:00:00.000Z',
      deduplicated: false,
      retry: { kind: 'steps', stepsMs: [1_000, 5_000, 30_000, 120_000, 600_000] },
    });
  });

  it('answers 200 and the first job for a dedupe key in use', async () => {
    const first = await enqueue({ dedupeKey: 'k', payload: 1 });
    const again = await api.call('POST', '/v1/jobs', { type: 't', dedupeKey: 'k', payload: 2 });
    expect(again.statusCode).toBe(200);
    expect(again.json()).toMatchObject({ id: first.id, payload: 1, deduplicated: true });
    expect(again.headers).not.toHaveProperty('event-position');
  });

  it('in bulk gives every job its own outcome', async () => {
    const first = await enqueue({ dedupeKey: 'k' });
    const response = await api.call('POST', '/v1/jobs/bulk', {
      jobs: [{ type: 't' }, { type: 't', dedupeKey: 'k' }, { type: 't', runAt: '9999-01-01T00:00:00Z' }],
    });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      results: [
        { status: 'created' },
        { status: 'deduplicated', job: { id: first.id } },
        { status: 'rejected', problem: { code: 'run-at-out-of-range', status: 422 } },
      ],
      counts: { created: 1, deduplicated: 1, rejected: 1 },
    });
  });

  it('as an atomic batch creates all or, naming the culprit, none', async () => {
    const jobs = [{ type: 't' }, { type: 't', runAt: '9999-01-01T00:00:00Z' }];
    const refused = await api.call('POST', '/v1/jobs/bulk', { atomic: true, jobs });
    expect(refused.statusCode).toBe(422);
    expect(refused.json()).toMatchObject({ code: 'run-at-out-of-range', errors: [{ pointer: '/jobs/1' }] });
    expect(await api.parts.log.head()).toBe(0n);
    const created = await api.call('POST', '/v1/jobs/bulk', { atomic: true, jobs: jobs.slice(0, 1) });
    expect(created.statusCode).toBe(201);
  });
});

describe('reading a job', () => {
  it('travels to a revision and to a time', async () => {
    const { id } = await enqueue({ priority: 5 });
    now += 60_000;
    await api.call('PATCH', `/v1/jobs/${id}`, { priority: 1 });
    const at = async (query: string) => (await api.call('GET', `/v1/jobs/${id}?${query}`)).json();
    expect(await at('')).toMatchObject({ revision: 1, priority: 1 });
    expect(await at('revision=0')).toMatchObject({ revision: 0, priority: 5 });
    expect(await at('asOf=2026-11-21T09:00:59Z')).toMatchObject({ revision: 0, priority: 5 });
    expect(await at('asOf=2026-11-21T09:01:00Z')).toMatchObject({ revision: 1, priority: 1 });
    expect(await at('asOf=2026-11-21T08:00:00Z')).toMatchObject({ code: 'job-not-found' });
    expect(await at('revision=2')).toMatchObject({
      code: 'job-not-found',
      detail: 'The job has no revision 2: it is at 1.',
    });
    expect(await at('asOf=2026-11-21T08:00:00Z')).toMatchObject({
      detail: 'The job did not exist yet at 2026-11-21T08:00:00Z.',
    });
  });

  it('shows the status of the time travelled to', async () => {
    const { id } = await enqueue({ runAt: '2026-11-21T09:30:00Z' });
    now += 3_600_000;
    const at = async (query: string) => (await api.call('GET', `/v1/jobs/${id}?${query}`)).json();
    expect(await at('')).toMatchObject({ status: 'queued' });
    expect(await at('asOf=2026-11-21T09:29:00Z')).toMatchObject({ status: 'scheduled' });
  });

  it('answers 304 while nothing changed, except where time alone changes the status', async () => {
    const queued = await enqueue();
    const scheduled = await enqueue({ runAt: '2026-11-21T09:30:00Z' });
    const read = async (id: string, tag: string) =>
      (await api.call('GET', `/v1/jobs/${id}`, undefined, { 'if-none-match': tag })).statusCode;
    expect(await read(queued.id, '"0"')).toBe(304);
    expect(await read(queued.id, '"5", W/"0"')).toBe(304);
    expect(await read(queued.id, '"1"')).toBe(200);
    expect(await read(scheduled.id, '"0"')).toBe(200);
  });

  it('gives its history without the secrets of attempts', async () => {
    const { leaseToken, snapshot } = await api.claimOne();
    await api.call('POST', `/v1/jobs/${snapshot.jobId}/complete`, { leaseToken });
    const url = `/v1/jobs/${snapshot.jobId}/events`;
    const all = await api.call('GET', url);
    expect(all.json<{ data: { event: string }[] }>().data.map(({ event }) => event)).toEqual([
      'JobEnqueued',
      'JobStarted',
      'JobCompleted',
    ]);
    expect(all.body).not.toContain(snapshot.job.lease?.leaseId);
    const page = (await api.call('GET', `${url}?direction=backwards&limit=2`)).json();
    expect(page).toMatchObject({ data: [{ revision: 2 }, { revision: 1 }], nextRevision: 0 });
    const rest = (await api.call('GET', `${url}?direction=backwards&fromRevision=0`)).json();
    expect(rest).toMatchObject({ data: [{ revision: 0 }], nextRevision: null });
  });
});

describe('changing a job', () => {
  it('is refused when it is not at the revision of If-Match', async () => {
    const { id } = await enqueue();
    const amend = (tag: string) => api.call('PATCH', `/v1/jobs/${id}`, { priority: 1 }, { 'if-match': tag });
    expect(codeOf(await amend('"1"'))).toBe('revision-mismatch');
    const done = await amend('"0"');
    expect(done.statusCode).toBe(200);
    expect(done.headers).toMatchObject({ etag: '"1"', 'event-position': '2' });
    expect((await amend('"0"')).statusCode).toBe(412);
  });

  it('answers 200 to the cancel of a waiting job, 202 of a running one, 409 of a finished one', async () => {
    const { id } = await enqueue();
    const cancelled = await api.call('POST', `/v1/jobs/${id}/cancel`);
    expect(cancelled.statusCode).toBe(200);
    expect(cancelled.json()).toMatchObject({ status: 'cancelled' });
    const { leaseToken, snapshot } = await api.claimOne();
    const url = `/v1/jobs/${snapshot.jobId}`;
    const asked = await api.call('POST', `${url}/cancel`, { reason: 'wrong order' });
    expect(asked.statusCode).toBe(202);
    expect(asked.json()).toMatchObject({ status: 'running', cancelRequest: { reason: 'wrong order' } });
    const stopped = await api.call('POST', `${url}/acknowledge-cancel`, { leaseToken });
    expect(stopped.json()).toMatchObject({ status: 'cancelled' });
    expect(codeOf(await api.call('PATCH', url, { priority: 1 }))).toBe('job-finished');
  });
});

describe('lists', () => {
  it('pass filters and pages on, for the tenant of the key', async () => {
    const response = await api.call(
      'GET',
      '/v1/jobs?status=queued,running&type=t&worker=w&createdAfter=2026-01-01T00:00:00Z&limit=7&cursor=c',
    );
    expect(asked).toMatchObject({
      tenantId: 'a',
      filter: { status: ['queued', 'running'], type: 't', workerId: 'w', createdAfter: Date.UTC(2026, 0, 1) },
      page: { limit: 7, cursor: 'c' },
    });
    expect(response.json()).toMatchObject({
      data: [{ id: ROW.jobId, status: 'scheduled' }],
      nextCursor: 'n+1',
      prevCursor: null,
    });
    expect(response.headers.link).toContain('cursor=n%2B1>; rel="next"');
  });

  it('show a job as queued once its time has come', async () => {
    now += 60_000;
    expect((await api.call('GET', '/v1/jobs')).json()).toMatchObject({ data: [{ status: 'queued' }] });
  });

  it('wait for a position, say how fresh they are, and give up in time', async () => {
    const list = (position: string) => api.call('GET', '/v1/jobs', undefined, { 'await-position': position });
    const fresh = await list('9');
    expect(fresh.headers).toMatchObject({ 'projection-position': '9', 'projection-lag-ms': '12' });
    const late = await list('100');
    expect(late.statusCode).toBe(504);
    expect(late.headers['retry-after']).toBe('1');
  });
});
