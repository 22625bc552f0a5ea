import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiKey } from '../../src/adapters/postgres/api-keys.ts';
import { createInboxDeadLetters } from '../../src/adapters/postgres/inbox-dead-letters.ts';
import { systemIds } from '../../src/adapters/system.ts';
import { type Caller, type LiveApi, startLiveApi } from '../support/live-api.ts';
import { event, jobsOf, rule } from '../support/placed-orders.ts';

let api: LiveApi;
beforeAll(async () => {
  api = await startLiveApi();
});
afterAll(() => api[Symbol.asyncDispose]());

async function subscribed(change = {}): Promise<Caller> {
  const caller = await api.caller();
  const put = await caller.call('PUT', `/v1/subscriptions/orders-of-${caller.tenantId}`, rule(change));
  expect(put.status).toBe(200);
  return caller;
}

/** Subscriptions of other processes are noticed within a second; those of this one at once. */
describe('POST /v1/events', () => {
  it('makes a job of an event, once', async () => {
    const caller = await subscribed();
    const first = await caller.call('POST', '/v1/events', event('e-1'));
    expect(first).toMatchObject({ status: 202, body: { accepted: 1, duplicates: 0, ignored: 0 } });
    const second = await caller.call('POST', '/v1/events', event('e-1'));
    expect(second).toMatchObject({ status: 202, body: { accepted: 0, duplicates: 1, ignored: 0 } });
    expect(await jobsOf(api, caller)).toEqual(['{"id":"e-1"}']);
  });

  it('takes batches, and events whose attributes are in headers', async () => {
    const caller = await subscribed();
    const batch = await caller.call('POST', '/v1/events', [event('e-1'), event('e-1'), event('e-2')], {
      'content-type': 'application/cloudevents-batch+json',
    });
    expect(batch.body).toEqual({ accepted: 2, duplicates: 1, ignored: 0 });
    const binary = await caller.call(
      'POST',
      '/v1/events',
      { n: 3 },
      { 'ce-specversion': '1.0', 'ce-id': 'e-3', 'ce-source': 'shop', 'ce-type': 'order.placed' },
    );
    expect(binary.body).toEqual({ accepted: 1, duplicates: 0, ignored: 0 });
    expect(await jobsOf(api, caller)).toEqual(['{"id":"e-1"}', '{"id":"e-2"}', '{"n":3}']);
  });

  it('keeps data byte for byte', async () => {
    const caller = await subscribed();
    const data = '{"big": 12345678901234567890, "b":1.0,"a" : "ä"}';
    const body = `{"specversion":"1.0","id":"x","source":"s","type":"order.placed","data":${data}}`;
    const answer = await fetch(`${api.url}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${caller.token}`, 'content-type': 'application/cloudevents+json' },
      body,
    });
    expect(answer.status).toBe(202);
    expect(await jobsOf(api, caller)).toEqual([data]);
  });

  it('does nothing when one of them is wrong, and says what', async () => {
    const caller = await subscribed();
    const answer = await caller.call('POST', '/v1/events', [event('e-1'), { ...event('e-2'), source: '' }]);
    expect(answer.status).toBe(400);
    expect(answer.body.errors).toEqual([{ pointer: '/1/source', detail: expect.stringContaining('>=1') }]);
    expect(await jobsOf(api, caller)).toEqual([]);
  });

  it('refuses events of another tenant, and ids of one do not hide those of another', async () => {
    const one = await subscribed();
    const other = await subscribed();
    const foreign = await one.call('POST', '/v1/events', { ...event('e-1'), tenantid: other.tenantId });
    expect(foreign.status).toBe(400);
    for (const caller of [one, other]) {
      expect((await caller.call('POST', '/v1/events', event('same'))).body.accepted).toBe(1);
      expect(await jobsOf(api, caller)).toHaveLength(1);
    }
  });

  it('counts what no subscription is about', async () => {
    const caller = await subscribed();
    const answer = await caller.call('POST', '/v1/events', { ...event('e-1'), type: 'order.lost' });
    expect(answer.body).toEqual({ accepted: 0, duplicates: 0, ignored: 1 });
    const named = await caller.call('POST', '/v1/events?topic=order.placed', {
      ...event('e-1'),
      type: 'order.lost',
    });
    expect(named.body.accepted).toBe(1);
  });

  it('takes job fields from where the subscription says', async () => {
    const caller = await subscribed({
      dedupeId: '$.data.order',
      action: {
        kind: 'enqueue',
        type: '$.data.kind',
        queue: '$.data.lane',
        priority: '$.data.rank',
        payload: { order: '$.data.order', from: '$.source', missing: '$.data.nothing', list: ['$.id', 1] },
      },
    });
    const data = { order: 'o-1', kind: 'fulfil', lane: 'fast', rank: 2 };
    expect((await caller.call('POST', '/v1/events', event('e-1', data))).body.accepted).toBe(1);
    expect((await caller.call('POST', '/v1/events', event('e-2', data))).body.duplicates).toBe(1);
    expect(await jobsOf(api, caller)).toEqual(['{"order":"o-1","from":"shop","list":["e-1",1]}']);
  });

  it('cancels by the dedupe id of another subscription, or by the id of a job', async () => {
    const caller = await subscribed();
    const of = `orders-of-${caller.tenantId}`;
    await caller.call('PUT', `/v1/subscriptions/lost-${caller.tenantId}`, {
      topic: 'order.lost',
      action: { kind: 'cancel', job: { subscription: of, dedupeId: '$.data.of' } },
    });
    const lost = (id: string, identity: string) => ({ ...event(id, { of: identity }), type: 'order.lost' });
    expect((await caller.call('POST', '/v1/events', lost('l-0', 'shop e-9'))).status).toBe(404);
    await caller.call('POST', '/v1/events', event('e-1'));
    await jobsOf(api, caller);
    expect((await caller.call('POST', '/v1/events', lost('l-1', 'shop e-1'))).body.accepted).toBe(1);
    expect((await caller.call('POST', '/v1/events', lost('l-1', 'shop e-1'))).body.duplicates).toBe(1);
    expect((await caller.call('GET', '/v1/jobs?status=cancelled')).status).toBe(200);
    const { rows } = await api.database.pool.query(
      `select from eventzr.events where type = 'JobCancelled' and stream ^@ $1`,
      [`job-${caller.tenantId}.`],
    );
    expect(rows).toHaveLength(1);
  });
});

describe('messages put aside', () => {
  it('are looked at, corrected and carried out once', async () => {
    const caller = await subscribed();
    const { token } = await createApiKey(api.database.pool, { name: 'p', tenants: '*', role: 'operator' });
    const platform = { authorization: `Bearer ${token}` };
    const store = createInboxDeadLetters(api.database.pool, systemIds());
    const letter = {
      topic: 'order.placed',
      partition: 0,
      offset: '7',
      groupId: 'g',
      tenantId: null,
      key: 'k',
      value: Buffer.from('no \0json'),
      headers: { trace: 'x\0' },
      sentAt: Date.UTC(2026, 10, 21),
      reason: 'invalid',
      error: 'is not JSON\0',
      stack: null,
      faults: [{ path: '', message: 'is not JSON' }],
      attempts: 1,
    } as const;
    const [added] = await store.add([letter]);
    expect(await store.add([letter])).toMatchObject([{ id: added?.id }]);
    await store.published([added?.id ?? '']);
    expect(await store.add([letter])).toEqual([]);

    const path = `/v1/inbox/dead-letters/${added?.id}`;
    expect((await caller.call('GET', path)).status).toBe(404);
    expect((await caller.call('GET', '/v1/inbox/dead-letters')).body.data).toEqual([]);
    const list = await caller.call('GET', '/v1/inbox/dead-letters?topic=order.placed', undefined, platform);
    expect(list.body.data).toMatchObject([{ id: added?.id, status: 'waiting', payload: 'no \0json' }]);
    expect((await caller.call('POST', `${path}/replay`, {}, platform)).status).toBe(400);

    const corrected = { ...event('e-7'), tenantid: caller.tenantId };
    const edited = await caller.call('PATCH', path, { payload: corrected }, platform);
    expect(edited.body).toMatchObject({
      payload: JSON.stringify(corrected),
      editedBy: expect.stringMatching(/^p/),
    });
    const replay = await caller.call('POST', `${path}/replay`, {}, platform);
    expect(replay).toMatchObject({ status: 200, body: { accepted: 1 } });
    expect((await caller.call('POST', `${path}/replay`, {}, platform)).body.duplicates).toBe(1);
    expect((await caller.call('GET', path, undefined, platform)).body).toMatchObject({
      status: 'replayed',
      replayedBy: expect.stringMatching(/^p/),
    });
    expect(await jobsOf(api, caller)).toEqual(['{"id":"e-7"}']);
    expect((await caller.call('PATCH', path, { payload: corrected }, platform)).status).toBe(404);
  });
});

it('has no consumers without Kafka', async () => {
  const caller = await api.caller({ tenants: '*' });
  expect((await caller.call('GET', '/v1/consumers')).body).toEqual({ data: [] });
});
