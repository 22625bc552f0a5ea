import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LiveApi, startLiveApi } from '../support/live-api.ts';
import { event, jobsOf, rule } from '../support/placed-orders.ts';
import { waitUntil } from '../support/wait-until.ts';

let api: LiveApi;
beforeAll(async () => {
  api = await startLiveApi();
});
afterAll(() => api[Symbol.asyncDispose]());

describe('subscriptions', () => {
  it('belong to who made them, whatever others call theirs', async () => {
    const [one, other] = [await api.caller(), await api.caller()];
    const path = '/v1/subscriptions/orders';
    await one.call('PUT', path, rule({ topic: 'order.placed' }));
    expect((await other.call('GET', path)).status).toBe(404);
    expect((await other.call('DELETE', path)).status).toBe(404);
    expect((await other.call('GET', '/v1/subscriptions')).body.data).toEqual([]);
    const put = await other.call('PUT', path, rule({ dedupeId: '$.data.id' }));
    expect(put).toMatchObject({ status: 200, body: { tenantId: other.tenantId } });
    for (const caller of [one, other]) {
      expect((await caller.call('POST', '/v1/events', event('e-1'))).body.accepted).toBe(1);
      expect(await jobsOf(api, caller)).toHaveLength(1);
      expect((await caller.call('GET', '/v1/subscriptions')).body.data).toMatchObject([
        { name: 'orders', tenantId: caller.tenantId },
      ]);
    }
    expect((await one.call('DELETE', path)).status).toBe(204);
    expect((await one.call('GET', path)).status).toBe(404);
    expect((await other.call('GET', path)).body.dedupeId).toBe('$.data.id');
    expect((await other.call('DELETE', path)).status).toBe(204);
  });

  it('of several tenants under one name are told apart by the platform', async () => {
    const [one, other, platform] = [
      await api.caller(),
      await api.caller(),
      await api.caller({ tenants: '*' }),
    ];
    const path = '/v1/subscriptions/shared-name';
    await one.call('PUT', path, rule());
    expect((await platform.call('GET', path)).body.tenantId).toBe(one.tenantId);
    await other.call('PUT', path, rule());
    expect((await platform.call('GET', path)).body.code).toBe('tenant-required');
    expect((await platform.call('DELETE', path)).body.code).toBe('tenant-required');
    const named = await platform.call('GET', `${path}?tenant=${other.tenantId}`);
    expect(named.body.tenantId).toBe(other.tenantId);
    const onBehalf = { 'on-behalf-of': other.tenantId };
    expect((await platform.call('DELETE', path, undefined, onBehalf)).status).toBe(204);
    expect((await one.call('GET', path)).status).toBe(200);
    expect((await platform.call('PUT', path, rule())).body.code).toBe('subscription-taken');
    expect((await platform.call('DELETE', path)).status).toBe(204);
    expect((await platform.call('PUT', path, rule({ topic: 'never' }))).status).toBe(200);
    expect((await one.call('PUT', path, rule())).body.code).toBe('subscription-taken');
  });

  it('are a hundred of a tenant at most, and those there are can still be changed', async () => {
    const caller = await api.caller();
    const put = (index: number, change = {}) =>
      caller.call('PUT', `/v1/subscriptions/${caller.tenantId}-${index}`, rule(change));
    for (let index = 0; index < 100; index += 1) expect((await put(index)).status).toBe(200);
    const refused = await put(100);
    expect(refused).toMatchObject({ status: 409, body: { code: 'too-many-subscriptions' } });
    expect(refused.body.detail).toMatch(/100 .*DELETE/);
    expect((await put(7, { topic: 'order.paid' })).body.topic).toBe('order.paid');
    await caller.call('DELETE', `/v1/subscriptions/${caller.tenantId}-8`);
    expect((await put(100)).status).toBe(200);
  });

  it('of a tenant name the first part of their topics, and those of the platform need not', async () => {
    const [caller, platform] = [await api.caller(), await api.caller({ tenants: '*' })];
    const path = `/v1/subscriptions/wide-${caller.tenantId}`;
    const onBehalf = { 'on-behalf-of': caller.tenantId };
    const refused = [
      await caller.call('PUT', path, rule({ topic: '**' })),
      await caller.call('PUT', path, rule({ topic: '*.placed' })),
      await platform.call('PUT', path, rule({ topic: '**' }), onBehalf),
    ];
    for (const { status, body } of refused) {
      expect(`${status} ${body.code}`).toBe('400 validation');
      expect(body.errors).toEqual([{ pointer: '/topic', detail: expect.stringContaining('shop.**') }]);
    }
    expect((await caller.call('PUT', path, rule({ topic: 'order.**' }))).status).toBe(200);
    expect((await caller.call('DELETE', path)).status).toBe(204);
    expect((await platform.call('PUT', path, rule({ topic: '**', types: ['never'] }))).status).toBe(200);
    expect((await platform.call('DELETE', path)).status).toBe(204);
  });

  it('of a tenant that were made when any topic would do go on as they are', async () => {
    const caller = await api.caller();
    await caller.call('PUT', '/v1/subscriptions/wide', rule());
    await api.database.pool.query(
      `update eventzr.subscriptions set rule = jsonb_set(rule::jsonb, '{topic}', '"**"')::json where tenant_id = $1`,
      [caller.tenantId],
    );
    const restarted = await startLiveApi({}, api.database);
    await using _ = restarted;
    const { data } = (await caller.call('GET', '/v1/subscriptions')).body;
    expect(data).toMatchObject([{ topic: '**' }]);
    const sent = await fetch(`${restarted.url}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${caller.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(event('e-1')),
    });
    expect(await sent.json()).toMatchObject({ accepted: 1 });
  });

  it('are in the audit when they were changed, and not when that was refused', async () => {
    const [one, platform] = [await api.caller(), await api.caller({ tenants: '*' })];
    const path = (name: string) => `/v1/subscriptions/${name}-${one.tenantId}`;
    await platform.call('PUT', path('theirs'), rule({ topic: 'order.theirs' }));
    const refused = [
      await one.call('PUT', path('theirs'), rule()),
      await one.call('DELETE', path('missing')),
    ];
    expect(refused.map(({ body }) => body.code)).toEqual(['subscription-taken', 'not-found']);
    await one.call('PUT', path('ours'), rule());
    await one.call('DELETE', path('ours'));
    const entries = await waitUntil('the audit has it', async () => {
      const { data } = (await one.call('GET', '/v1/audit?action=subscription.put,subscription.delete')).body;
      return data.some(({ action }: { action: string }) => action === 'subscription.delete') && data;
    });
    expect(entries).toMatchObject([
      { action: 'subscription.delete', subject: `ours-${one.tenantId}` },
      { action: 'subscription.put', subject: `ours-${one.tenantId}`, details: { topic: 'order.placed' } },
    ]);
    expect(entries).toHaveLength(2);
  });

  it('are checked when they are made', async () => {
    const caller = await api.caller();
    const wrong = [
      rule({ topic: 'a b' }),
      rule({ dedupeId: 'data.id' }),
      rule({ action: { kind: 'enqueue', type: 't', payload: { a: ['$nonsense'] } } }),
      rule({ action: { kind: 'explode' } }),
    ];
    for (const body of wrong) {
      expect((await caller.call('PUT', '/v1/subscriptions/x', body)).status).toBe(400);
    }
  });
});
