import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Caller, type LiveApi, startLiveApi } from '../support/live-api.ts';
import { waitUntil } from '../support/wait-until.ts';

let api: LiveApi;
let platform: Caller;
beforeAll(async () => {
  api = await startLiveApi({ TENANT_EVENTS: 'true' });
  platform = await api.caller({ tenants: '*' });
  await platform.call('PUT', '/v1/plans/free', { limits: { jobsPerDay: 1 } });
  await platform.call('PUT', '/v1/plans/pro', { limits: { jobsPerDay: 1_000 }, weight: 3 });
  await waitUntil('the subscriptions are there', async () => {
    return (await platform.call('GET', '/v1/subscriptions')).body.data.length === 5;
  });
});
afterAll(() => api[Symbol.asyncDispose]());

const CREATED = 'eventzr.auth.tenant.created.v1';
const DELETED = 'eventzr.auth.tenant.deleted.v1';
const CHANGED = 'eventzr.subscriptions.changed.v1';
const SUSPENDED = 'eventzr.wallet.suspended.v1';
const RESUMED = 'eventzr.wallet.resumed.v1';

interface Said {
  readonly id: string;
  readonly topic: string;
  readonly tenantId: string;
  readonly at: string;
  readonly data?: object;
}

/** The same said in every envelope that there is. */
const ENVELOPES: Readonly<Record<string, (said: Said) => object>> = {
  CloudEvents: ({ id, topic, tenantId, at, data = {} }) => ({
    specversion: '1.0',
    id,
    source: 'auth-svc',
    type: topic,
    subject: tenantId,
    time: at,
    data,
  }),
  'event, occurred_at, payload': ({ id, topic, tenantId, at, data = {} }) => ({
    event: topic,
    event_id: id,
    version: '1.0',
    occurred_at: at,
    service: 'auth',
    tenant_id: tenantId,
    payload: data,
  }),
  'event_id, event_type': ({ id, topic, tenantId, at, data = {} }) => ({
    event_id: id,
    event_type: topic,
    event_version: 1,
    tenant_id: tenantId,
    occurred_at: at,
    producer: 'auth@v1',
    data,
  }),
  'eventId, type, payload': ({ id, topic, tenantId, at, data = {} }) => ({
    eventId: id,
    timestamp: Date.parse(at),
    type: topic,
    tenantId,
    payload: data,
  }),
  'eventId, eventType': ({ id, topic, tenantId, at, data = {} }) => ({
    eventId: id,
    eventType: topic,
    timestamp: at,
    tenantId,
    data,
  }),
};

const cloudEvent = (said: Said): object => ENVELOPES.CloudEvents?.(said) ?? {};

let tenants = 0;
const newTenant = (): string => {
  tenants += 1;
  return `customer-${tenants}`;
};

/** As the platform's own services send it: not by a key of the tenant. */
const send = (tenantId: string, body: unknown) =>
  platform.call('POST', '/v1/events', body, { 'on-behalf-of': tenantId });

const quotaOf = async (tenantId: string) =>
  (await platform.call('GET', `/v1/tenants/${tenantId}/quota`)).body;

const at = (minute: number): string => new Date(Date.UTC(2026, 10, 21, 9, minute)).toISOString();

describe.each(Object.entries(ENVELOPES))('tenant events as %s', (_name, envelope) => {
  it('initialize, change the plan, suspend, resume and close', async () => {
    const tenantId = newTenant();
    const say = async (minute: number, topic: string, data?: object) => {
      const event = envelope({
        id: `${topic}-${minute}`,
        topic,
        tenantId,
        at: at(minute),
        ...(data && { data }),
      });
      const answer = await send(tenantId, event);
      expect(answer.body).toEqual({ accepted: 1, duplicates: 0, ignored: 0 });
      // Again, as a broker may.
      expect((await send(tenantId, event)).body).toEqual({ accepted: 0, duplicates: 1, ignored: 0 });
      return quotaOf(tenantId);
    };
    expect(await say(1, CREATED, { plan: 'free' })).toMatchObject({ plan: 'free' });
    expect(await say(2, CHANGED, { plan: 'pro' })).toMatchObject({ plan: 'pro', weight: 3 });
    expect(await say(3, SUSPENDED, { reason: 'no credit' })).toMatchObject({
      suspended: { mode: 'claims', reason: 'platform-wallet-suspended: no credit' },
    });
    expect(await say(4, RESUMED)).toMatchObject({ suspended: null });
    expect(await say(5, DELETED)).toMatchObject({ suspended: { mode: 'all' } });
  });
});

describe('tenant events that come out of order', () => {
  const say = (tenantId: string, minute: number, topic: string, data: object = {}) =>
    send(tenantId, cloudEvent({ id: `${topic}-${minute}`, topic, tenantId, at: at(minute), data }));

  it('lose when something later was said about the same', async () => {
    const tenantId = newTenant();
    await say(tenantId, 5, CHANGED, { plan: 'pro' });
    expect((await say(tenantId, 3, CHANGED, { plan: 'free' })).body).toEqual({
      accepted: 0,
      duplicates: 0,
      ignored: 1,
    });
    await say(tenantId, 6, RESUMED);
    await say(tenantId, 4, SUSPENDED, { reason: 'late' });
    await say(tenantId, 1, CREATED, { plan: 'free' });
    expect(await quotaOf(tenantId)).toMatchObject({ plan: 'pro', suspended: null });
  });

  it('end the same in every order', async () => {
    const said = [
      [1, CREATED, { plan: 'free' }],
      [2, CHANGED, { plan: 'pro' }],
      [3, SUSPENDED, { reason: 'no credit' }],
      [4, CHANGED, { plan: 'free' }],
      [5, RESUMED, {}],
      [6, CHANGED, { plan: 'pro' }],
      [7, SUSPENDED, { reason: 'again' }],
    ] as const;
    for (let turn = 0; turn < said.length; turn += 1) {
      const tenantId = newTenant();
      const order = [...said.slice(turn), ...said.slice(0, turn)];
      if (turn % 2 === 1) order.reverse();
      for (const [minute, topic, data] of order) await say(tenantId, minute, topic, data);
      expect(await quotaOf(tenantId), JSON.stringify(order)).toMatchObject({
        plan: 'pro',
        suspended: { reason: 'platform-wallet-suspended: again' },
      });
    }
  });

  it('and at once still leave what was said last', async () => {
    const tenantId = newTenant();
    const minutes = Array.from({ length: 12 }, (_, minute) => minute);
    await Promise.all(
      minutes.map((minute) => say(tenantId, minute, CHANGED, { plan: minute === 11 ? 'pro' : 'free' })),
    );
    expect(await quotaOf(tenantId)).toMatchObject({ plan: 'pro' });
  });
});

describe('tenant events', () => {
  const say = (tenantId: string, minute: number, topic: string, data: object = {}) =>
    send(tenantId, cloudEvent({ id: `${topic}-${minute}`, topic, tenantId, at: at(minute), data }));

  it('end no suspension that a person has begun, and no deletion', async () => {
    const byPerson = newTenant();
    await platform.call('PUT', `/v1/tenants/${byPerson}/pause`, { reason: 'abuse', mode: 'all' });
    await say(byPerson, 1, SUSPENDED, { reason: 'no credit' });
    await say(byPerson, 2, RESUMED);
    expect(await quotaOf(byPerson)).toMatchObject({ suspended: { mode: 'all', reason: 'abuse' } });
    const deleted = newTenant();
    await say(deleted, 1, SUSPENDED, { reason: 'no credit' });
    await say(deleted, 2, DELETED);
    await say(deleted, 3, RESUMED);
    expect(await quotaOf(deleted)).toMatchObject({ suspended: { mode: 'all' } });
    await say(deleted, 4, CREATED);
    expect(await quotaOf(deleted)).toMatchObject({ suspended: null });
  });

  it('of an unknown plan are refused, and work once there is one', async () => {
    const tenantId = newTenant();
    expect(await say(tenantId, 1, CHANGED, { plan: 'gold' })).toMatchObject({
      status: 404,
      body: { code: 'plan-not-found' },
    });
    await platform.call('PUT', '/v1/plans/gold', { limits: {} });
    expect((await say(tenantId, 1, CHANGED, { plan: 'gold' })).body.accepted).toBe(1);
    expect(await say(tenantId, 2, CHANGED, { plan: 7 })).toMatchObject({ status: 400 });
  });

  it('are nothing that a tenant can send about itself', async () => {
    const caller = await api.caller();
    const { tenantId } = caller;
    const event = cloudEvent({ id: 'e', topic: CHANGED, tenantId, at: at(1), data: { plan: 'pro' } });
    expect((await caller.call('POST', '/v1/events', event)).body).toEqual({
      accepted: 0,
      duplicates: 0,
      ignored: 1,
    });
    const rule = { topic: 'mine', action: { kind: 'set-plan', plan: 'pro' } };
    expect((await caller.call('PUT', '/v1/subscriptions/mine', rule)).status).toBe(403);
    const operator = await api.caller({ tenants: '*', role: 'operator' });
    expect((await operator.call('PUT', '/v1/subscriptions/mine', rule)).status).toBe(403);
    expect((await platform.call('PUT', '/v1/subscriptions/mine', rule)).status).toBe(200);
    expect((await caller.call('POST', '/v1/events', { ...event, type: 'mine' })).body.ignored).toBe(1);
    expect(await quotaOf(tenantId)).toMatchObject({ revision: -1 });
  });
});
