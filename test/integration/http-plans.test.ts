import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Caller, type LiveApi, startLiveApi } from '../support/live-api.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { waitUntil } from '../support/wait-until.ts';
import { withinOneDay } from '../support/within-one-day.ts';

const parts = new AsyncDisposableStack();
let api: LiveApi;
let platform: Caller;
beforeAll(async () => {
  await withinOneDay(60_000);
  const { path } = parts.use(await tempFolder());
  const plans = { free: { limits: { jobsPerDay: 2 } }, filed: { limits: {}, weight: 5 } };
  await writeFile(`${path}/plans.json`, JSON.stringify(plans));
  api = parts.use(await startLiveApi({ PLANS_FILE: `${path}/plans.json`, DEFAULT_PLAN: 'free' }));
  platform = await api.caller({ tenants: '*' });
  await waitUntil(
    'the file was read',
    async () => (await platform.call('GET', '/v1/plans')).body.data.length === 2,
  );
});
afterAll(() => parts.disposeAsync());

const quotaOf = async (caller: Caller) =>
  (await platform.call('GET', `/v1/tenants/${caller.tenantId}/quota`)).body;

describe('plans', () => {
  it('are made, changed at the revision that was read, and ended when nobody is on them', async () => {
    const path = '/v1/plans/team';
    const made = await platform.call('PUT', path, { limits: { jobsPerDay: 10 }, reason: 'for teams' });
    expect(made.body).toMatchObject({
      revision: 0,
      limits: { jobsPerDay: 10, runningJobs: null },
      onExceed: 'reject',
      weight: 1,
      isDefault: false,
      fromFile: false,
      applied: true,
      reason: 'for teams',
    });
    const tag = { 'if-match': '"0"' };
    const changed = await platform.call('PUT', path, { limits: { jobsPerDay: 20 } }, tag);
    expect(changed.body.revision).toBe(1);
    expect((await platform.call('PUT', path, { limits: {} }, tag)).status).toBe(412);
    const same = await platform.call('PUT', path, { limits: { jobsPerDay: 20 } });
    expect(same.body.revision).toBe(1);
    expect((await platform.call('DELETE', path)).status).toBe(204);
    expect((await platform.call('GET', path)).body.code).toBe('plan-not-found');
  });

  it('in the file are changed there, and the default one is never ended', async () => {
    expect((await platform.call('PUT', '/v1/plans/filed', { limits: {} })).body.code).toBe('plan-taken');
    expect((await platform.call('DELETE', '/v1/plans/filed')).body.code).toBe('plan-taken');
    expect((await platform.call('DELETE', '/v1/plans/free')).body.code).toBe('plan-in-use');
  });

  it('are in the audit when they were changed, and not when that was refused', async () => {
    const { tenantId } = await api.caller();
    const [path, ofTenant] = ['/v1/plans/audited', `/v1/tenants/${tenantId}/quota`];
    const stale = { 'if-match': '"7"' };
    await platform.call('PUT', path, { limits: {}, weight: 3, reason: 'new' });
    await platform.call('PUT', ofTenant, { plan: 'audited' });
    const refused = [
      await platform.call('PUT', path, { limits: {} }, stale),
      await platform.call('DELETE', path),
      await platform.call('PUT', '/v1/plans/filed', { limits: {}, reason: 'refused' }),
      await platform.call('DELETE', '/v1/plans/filed'),
      await platform.call('DELETE', '/v1/plans/audited-and-missing'),
    ];
    await platform.call('PUT', ofTenant, { plan: 'filed' });
    refused.push(await platform.call('DELETE', path, undefined, stale));
    expect(refused.map(({ body }) => body.code)).toEqual([
      'revision-mismatch',
      'plan-in-use',
      'plan-taken',
      'plan-taken',
      'plan-not-found',
      'revision-mismatch',
    ]);
    await platform.call('DELETE', path);
    const last = await platform.call('PUT', ofTenant, { plan: 'free' });
    const { data } = (
      await platform.call('GET', '/v1/audit?action=plan.put,plan.delete&limit=200', undefined, {
        'await-position': last.headers.get('event-position') ?? '',
      })
    ).body;
    const concerned = data.filter(({ subject }: { subject: string }) => /^(audited|filed)/.test(subject));
    expect(concerned).toMatchObject([
      { action: 'plan.delete', subject: 'audited' },
      { action: 'plan.put', subject: 'audited', reason: 'new', details: { weight: 3 } },
    ]);
    expect(concerned).toHaveLength(2);
  });

  it('are not ended right after a tenant was put on them', async () => {
    const { tenantId } = await api.caller();
    for (let round = 0; round < 5; round += 1) {
      const path = `/v1/plans/brief-${round}`;
      await platform.call('PUT', path, { limits: {} });
      await platform.call('PUT', `/v1/tenants/${tenantId}/quota`, { plan: `brief-${round}` });
      expect((await platform.call('DELETE', path)).body?.code).toBe('plan-in-use');
    }
  });

  it('are read by all and written by the platform', async () => {
    const caller = await api.caller();
    expect((await caller.call('GET', '/v1/plans/free')).body).toMatchObject({
      isDefault: true,
      fromFile: true,
    });
    expect((await caller.call('PUT', '/v1/plans/mine', { limits: {} })).status).toBe(403);
    expect((await caller.call('DELETE', '/v1/plans/free')).status).toBe(403);
  });

  it('tell the platform alone who changed them and why', async () => {
    const path = '/v1/plans/quiet';
    await platform.call('PUT', path, { limits: {}, reason: 'after the incident' });
    const told = { updatedBy: expect.any(String), reason: 'after the incident' };
    expect((await platform.call('GET', path)).body).toMatchObject(told);
    const { call } = await api.caller();
    const untold = { name: 'quiet', updatedBy: null, reason: null };
    expect((await call('GET', path)).body).toMatchObject(untold);
    const { data } = (await call('GET', '/v1/plans')).body;
    expect(data.find(({ name }: { name: string }) => name === 'quiet')).toMatchObject(untold);
  });

  it('that change reach every tenant on them, and nobody else', async () => {
    await platform.call('PUT', '/v1/plans/growing', { limits: { jobsPerDay: 10 } });
    const callers = await Promise.all(Array.from({ length: 5 }, () => api.caller()));
    const [left, own] = [await api.caller(), await api.caller()];
    for (const { tenantId } of [...callers, left])
      await platform.call('PUT', `/v1/tenants/${tenantId}/quota`, { plan: 'growing' });
    await platform.call('PUT', `/v1/tenants/${left.tenantId}/quota`, { plan: 'filed' });
    const put = await platform.call('PUT', `/v1/tenants/${own.tenantId}/quota`, {
      limits: { jobsPerDay: 10 },
    });
    await platform.call('PUT', '/v1/plans/growing', {
      limits: { jobsPerDay: 30 },
      onExceed: 'delay',
      weight: 2,
    });
    await waitUntil('the plan is applied', async () => {
      return (await platform.call('GET', '/v1/plans/growing')).body.applied;
    });
    for (const caller of callers) {
      const terms = { plan: 'growing', limits: { jobsPerDay: 30 }, onExceed: 'delay', weight: 2 };
      expect(await quotaOf(caller)).toMatchObject(terms);
    }
    expect(await quotaOf(left)).toMatchObject({ plan: 'filed', weight: 5 });
    expect(await quotaOf(own)).toMatchObject({ plan: null, limits: { jobsPerDay: 10 } });
    expect((await platform.call('DELETE', '/v1/plans/growing')).body.code).toBe('plan-in-use');
    const listed = await platform.call('GET', '/v1/tenants?plan=growing&limit=3', undefined, {
      'await-position': put.headers.get('event-position') ?? '',
    });
    expect(listed.body.data).toHaveLength(3);
    const rest = await platform.call(
      'GET',
      `/v1/tenants?plan=growing&limit=3&cursor=${listed.body.nextCursor}`,
    );
    expect(rest.body.data).toHaveLength(2);
  });
});

describe('the default plan', () => {
  it('holds a tenant from its first job on', async () => {
    const caller = await api.caller();
    expect(await quotaOf(caller)).toMatchObject({ revision: -1, plan: 'free', limits: { jobsPerDay: 2 } });
    const jobs = Array.from({ length: 3 }, () => ({ type: 't' }));
    const { body } = await caller.call('POST', '/v1/jobs/bulk', { jobs });
    expect(body.counts).toMatchObject({ created: 2, rejected: 1 });
    expect(await quotaOf(caller)).toMatchObject({ plan: 'free', usage: { jobsPerDay: 2 } });
  });

  it('comes back when a tenant’s own limits are taken away, and stays through a suspension', async () => {
    const caller = await api.caller();
    const path = `/v1/tenants/${caller.tenantId}`;
    await platform.call('PUT', `${path}/pause`, { reason: 'checked first' });
    expect(await quotaOf(caller)).toMatchObject({ plan: 'free', suspended: { reason: 'checked first' } });
    await platform.call('PUT', `${path}/quota`, { limits: { jobsPerDay: 100 } });
    expect(await quotaOf(caller)).toMatchObject({ plan: null, limits: { jobsPerDay: 100 } });
    await platform.call('DELETE', `${path}/quota?reason=trial+is+over`);
    expect(await quotaOf(caller)).toMatchObject({ plan: 'free', limits: { jobsPerDay: 2 } });
  });
});
