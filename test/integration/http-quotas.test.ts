import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type Caller, type LiveApi, startLiveApi } from '../support/live-api.ts';
import { waitUntil } from '../support/wait-until.ts';
import { withinOneDay } from '../support/within-one-day.ts';

let api: LiveApi;
let platform: Caller;
beforeAll(async () => {
  await withinOneDay(60_000);
  api = await startLiveApi();
  platform = await api.caller({ tenants: '*' });
});
afterAll(() => api[Symbol.asyncDispose]());

/** A tenant of its own, held to these limits. */
async function tenantWith(limits: object, more: object = {}): Promise<Caller> {
  const caller = await api.caller();
  const put = await platform.call('PUT', `/v1/tenants/${caller.tenantId}/quota`, { limits, ...more });
  expect(put.status).toBe(200);
  return caller;
}

const enqueue = (caller: Caller, payload: unknown = null): Promise<Answer> =>
  caller.call('POST', '/v1/jobs', { type: 't', payload });

async function jobsIn(caller: Caller): Promise<number> {
  const { rows } = await api.database.pool.query<{ count: string }>(
    `select count(*) from eventzr.events where type = 'JobEnqueued' and stream ^@ $1`,
    [`job-${caller.tenantId}.`],
  );
  return Number(rows[0]?.count);
}

describe('a limit', () => {
  it('jobsPerDay refuses by name, with what is used and when it begins anew', async () => {
    const caller = await tenantWith({ jobsPerDay: 2 });
    const first = await enqueue(caller);
    expect(first.status).toBe(201);
    expect(first.headers.get('ratelimit-policy')).toBe('"jobsPerDay";q=2;w=86400');
    expect(first.headers.get('ratelimit')).toMatch(/^"jobsPerDay";r=1;t=\d+$/);
    await enqueue(caller);
    const refused = await enqueue(caller);
    expect(refused).toMatchObject({
      status: 429,
      body: { code: 'quota-exceeded', quota: { limit: 'jobsPerDay', value: 2, used: 2 } },
    });
    const midnight = new Date(refused.body.quota.resetAt);
    expect(midnight.getTime() % 86_400_000).toBe(0);
    expect(midnight.getTime()).toBeGreaterThan(Date.now());
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(refused.headers.get('ratelimit')).toMatch(/^"jobsPerDay";r=0;t=\d+$/);
    expect(await jobsIn(caller)).toBe(2);
  });

  it('unfinishedJobs refuses until one has ended', async () => {
    const caller = await tenantWith({ unfinishedJobs: 1 });
    const { body: job } = await enqueue(caller);
    const refused = await enqueue(caller);
    expect(refused).toMatchObject({
      status: 429,
      body: { quota: { limit: 'unfinishedJobs', value: 1, used: 1, resetAt: null } },
    });
    expect(await jobsIn(caller)).toBe(1);
    await caller.call('POST', `/v1/jobs/${job.id}/cancel`, {});
    await waitUntil('the slot is free', async () => (await enqueue(caller)).status === 201);
  });

  it('enqueuesPerSecond refuses what is above the burst', async () => {
    const caller = await tenantWith({ enqueuesPerSecond: 1, enqueueBurst: 3 });
    const jobs = Array.from({ length: 10 }, () => ({ type: 't' }));
    const answer = await caller.call('POST', '/v1/jobs/bulk', { jobs });
    expect(answer.body.counts).toMatchObject({ created: 3, rejected: 7 });
    expect(answer.headers.get('ratelimit-policy')).toBe('"enqueuesPerSecond";q=3;w=3');
    expect(answer.body.results.at(-1)).toMatchObject({
      status: 'rejected',
      problem: { code: 'quota-exceeded', quota: { limit: 'enqueuesPerSecond', value: 1 } },
    });
  });

  it('tells an atomic batch that never fits to be smaller', async () => {
    const caller = await tenantWith({ enqueuesPerSecond: 9, enqueueBurst: 2 });
    const jobs = [{ type: 't' }, { type: 't' }, { type: 't' }];
    const answer = await caller.call('POST', '/v1/jobs/bulk', { jobs, atomic: true });
    expect(answer).toMatchObject({
      status: 422,
      body: { code: 'batch-above-limit', quota: { limit: 'enqueueBurst', value: 2, used: 3, resetAt: null } },
    });
    expect(answer.headers.get('retry-after')).toBeNull();
    expect((await caller.call('POST', '/v1/jobs/bulk', { jobs })).body.counts).toMatchObject({ created: 2 });
  });

  it('payloadBytes refuses the payload, and names the limit of the tenant', async () => {
    const caller = await tenantWith({ payloadBytes: 20 });
    expect((await enqueue(caller, 'short')).status).toBe(201);
    const refused = await enqueue(caller, 'x'.repeat(30));
    expect(refused).toMatchObject({
      status: 413,
      body: { code: 'payload-too-large', quota: { limit: 'payloadBytes', value: 20, used: 32 } },
    });
    expect(await jobsIn(caller)).toBe(1);
  });

  it('payloadBytes holds for payloads that are put in afterwards, too', async () => {
    const caller = await tenantWith({ payloadBytes: 20 });
    const { body: job } = await caller.call('POST', '/v1/jobs', { type: 't', payload: 1 });
    const amend = (payload: string) => caller.call('PATCH', `/v1/jobs/${job.id}`, { payload });
    expect(await amend('x'.repeat(30))).toMatchObject({
      status: 413,
      body: { code: 'payload-too-large', quota: { limit: 'payloadBytes', value: 20, used: 32 } },
    });
    expect((await amend('x'.repeat(18))).status).toBe(200);
  });

  it('refuses nothing for ever: the same Idempotency-Key asks again what was refused, and keeps what was made', async () => {
    const caller = await tenantWith({ jobsPerDay: 1, payloadBytes: 20 });
    const [one, many] = [{ 'idempotency-key': 'one' }, { 'idempotency-key': 'many' }];
    const enqueueLong = () => caller.call('POST', '/v1/jobs', { type: 't', payload: 'x'.repeat(30) }, one);
    const jobs = [{ type: 't' }, { type: 't' }, { type: 't' }];
    const enqueueMany = () => caller.call('POST', '/v1/jobs/bulk', { jobs }, many);
    expect((await enqueueLong()).status).toBe(413);
    const before = (await enqueueMany()).body;
    expect(before.counts).toMatchObject({ created: 1, rejected: 2 });
    await platform.call('PUT', `/v1/tenants/${caller.tenantId}/quota`, { limits: { jobsPerDay: 10 } });
    expect((await enqueueLong()).status).toBe(201);
    const after = (await enqueueMany()).body;
    expect(after.counts).toMatchObject({ rejected: 0 });
    expect(after.results[0].job.id).toBe(before.results[0].job.id);
    expect(await jobsIn(caller)).toBe(4);
    expect((await enqueueMany()).body).toEqual(after);
  });

  it('is kept for each job of a batch, and for an atomic batch as a whole', async () => {
    const caller = await tenantWith({ jobsPerDay: 3 });
    const jobs = Array.from({ length: 5 }, () => ({ type: 't' }));
    await enqueue(caller);
    const whole = await caller.call('POST', '/v1/jobs/bulk', { jobs: jobs.slice(0, 3), atomic: true });
    expect(whole).toMatchObject({ status: 429, body: { code: 'quota-exceeded' } });
    expect(await jobsIn(caller)).toBe(1);
    const each = await caller.call('POST', '/v1/jobs/bulk', { jobs });
    expect(each).toMatchObject({ status: 200, body: { counts: { created: 2, rejected: 3 } } });
    expect(each.body.results[2].problem).toMatchObject({ status: 429, quota: { limit: 'jobsPerDay' } });
    expect(await jobsIn(caller)).toBe(3);
  });

  it('with onExceed delay puts jobs off to the next day', async () => {
    const caller = await tenantWith({ jobsPerDay: 1 }, { onExceed: 'delay' });
    await enqueue(caller);
    const { status, body } = await enqueue(caller);
    expect(status).toBe(201);
    expect(body.status).toBe('scheduled');
    expect(Date.parse(body.runAt) % 86_400_000).toBe(0);
    expect(await enqueue(caller)).toMatchObject({ status: 429 });
  });

  it('is not used up for good by a refusal that is repeated under its Idempotency-Key', async () => {
    const caller = await tenantWith({ jobsPerDay: 0 });
    const key = { 'idempotency-key': 'k-1' };
    expect((await caller.call('POST', '/v1/jobs', { type: 't' }, key)).status).toBe(429);
    await platform.call('PUT', `/v1/tenants/${caller.tenantId}/quota`, { limits: {} });
    expect((await caller.call('POST', '/v1/jobs', { type: 't' }, key)).status).toBe(201);
  });

  it('refuses events whose jobs have no room, and not those that had their effect', async () => {
    const caller = await tenantWith({ unfinishedJobs: 1 });
    const rule = { topic: 'order.placed', action: { kind: 'enqueue', type: 'order.fulfil' } };
    await caller.call('PUT', `/v1/subscriptions/of-${caller.tenantId}`, rule);
    const event = (id: string) => ({ specversion: '1.0', id, source: 's', type: 'order.placed', data: {} });
    expect((await caller.call('POST', '/v1/events', event('e-1'))).body.accepted).toBe(1);
    await waitUntil('the job counts', async () => (await enqueue(caller)).status === 429);
    expect(await caller.call('POST', '/v1/events', event('e-2'))).toMatchObject({
      status: 429,
      body: { code: 'quota-exceeded', quota: { limit: 'unfinishedJobs' } },
    });
    expect((await caller.call('POST', '/v1/events', event('e-1'))).body.duplicates).toBe(1);
  });
});

describe('the quota document', () => {
  it('is written whole, at the revision that was read', async () => {
    const caller = await tenantWith({ jobsPerDay: 5, runningJobs: 2 });
    const path = `/v1/tenants/${caller.tenantId}/quota`;
    const read = await caller.call('GET', path);
    expect(read.body).toMatchObject({
      plan: null,
      limits: { jobsPerDay: 5, unfinishedJobs: null, runningJobs: 2 },
      onExceed: 'reject',
      weight: 1,
      usage: { jobsPerDay: 0, unfinishedJobs: 0 },
      suspended: null,
    });
    const etag = read.headers.get('etag') ?? '';
    expect(etag).toBe(`"${read.body.revision}"`);
    const change = { limits: { jobsPerDay: 6 }, weight: 3 };
    // What is used moves the revision on, but it is not what somebody would overwrite.
    await enqueue(caller);
    const put = await platform.call('PUT', path, change, { 'if-match': etag });
    expect(put.body).toMatchObject({ limits: { jobsPerDay: 6, runningJobs: null }, weight: 3 });
    expect(await platform.call('PUT', path, change, { 'if-match': '"999"' })).toMatchObject({ status: 412 });
    expect(await platform.call('PUT', path, change, { 'if-match': etag })).toMatchObject({
      status: 412,
      body: { code: 'revision-mismatch' },
    });
    expect((await platform.call('DELETE', path)).body).toMatchObject({ limits: { jobsPerDay: null } });
  });

  it('are set with the ETag of a tenant that nothing was set for by one of several', async () => {
    const path = `/v1/tenants/${(await api.caller()).tenantId}/quota`;
    const etag = (await platform.call('GET', path)).headers.get('etag') ?? '';
    const puts = await Promise.all(
      [5, 6, 7].map((jobsPerDay) =>
        platform.call('PUT', path, { limits: { jobsPerDay } }, { 'if-match': etag }),
      ),
    );
    expect(puts.map(({ status }) => status).toSorted()).toEqual([200, 412, 412]);
  });

  it('is there for tenants that nobody has heard of', async () => {
    const caller = await api.caller();
    const { body } = await caller.call('GET', `/v1/tenants/${caller.tenantId}/quota`);
    expect(body).toMatchObject({ revision: -1, limits: { jobsPerDay: null }, usage: { unfinishedJobs: 0 } });
  });

  it('is read by its tenant and written by the platform alone', async () => {
    const one = await tenantWith({ jobsPerDay: 1 });
    const other = await api.caller();
    const path = `/v1/tenants/${one.tenantId}`;
    expect((await other.call('GET', `${path}/quota`)).status).toBe(403);
    expect((await other.call('GET', path)).status).toBe(403);
    expect((await one.call('PUT', `${path}/quota`, { limits: {} })).status).toBe(403);
    expect((await one.call('DELETE', `${path}/pause`)).status).toBe(403);
    const listed = await waitUntil('it is listed', async () => {
      const { data } = (await one.call('GET', '/v1/tenants')).body;
      return data.length > 0 && data;
    });
    expect(listed).toMatchObject([{ id: one.tenantId }]);
  });

  it('refuses what makes no sense', async () => {
    const path = `/v1/tenants/${platform.tenantId}/quota`;
    const wrong = [
      {},
      { plan: 'p', limits: {} },
      { limits: { jobsPerDay: -1 } },
      { limits: { jobsPerHour: 1 } },
      { limits: { enqueueBurst: 5 } },
      { limits: {}, weight: 0 },
      { limits: {}, onExceed: 'explode' },
    ];
    for (const body of wrong) expect((await platform.call('PUT', path, body)).status).toBe(400);
    expect(await platform.call('PUT', path, { plan: 'none' })).toMatchObject({
      status: 404,
      body: { code: 'plan-not-found' },
    });
  });

  it('gives a tenant its day back', async () => {
    const caller = await tenantWith({ jobsPerDay: 1 });
    await enqueue(caller);
    expect((await enqueue(caller)).status).toBe(429);
    const path = `/v1/tenants/${caller.tenantId}/quota`;
    const reset = await platform.call('POST', `${path}/reset`, { reason: 'our fault' });
    expect(reset.body.usage.jobsPerDay).toBe(0);
    expect((await enqueue(caller)).status).toBe(201);
    const { body } = await caller.call('GET', `${path}/history`, undefined, {
      'await-position': reset.headers.get('event-position') ?? '',
    });
    const kinds = body.data.map(({ change }: { change: { kind: string } }) => change.kind);
    expect(kinds.toReversed()).toEqual(expect.arrayContaining(['initialized', 'exceeded', 'reset']));
    expect(
      body.data.find((line: { change: { kind: string } }) => line.change.kind === 'reset'),
    ).toMatchObject({
      actor: expect.stringContaining('test'),
      change: { by: 'person', used: 1, reason: 'our fault' },
    });
    const then = new Date(Date.parse(body.data.at(-1).at)).toISOString();
    const old = await caller.call('GET', `${path}?asOf=${encodeURIComponent(then)}`);
    expect(old.body).toMatchObject({ revision: null, limits: { jobsPerDay: 1 }, usage: { jobsPerDay: 0 } });
    expect((await caller.call('GET', `${path}?asOf=2020-01-01T00:00:00Z`)).status).toBe(404);
  });
});
