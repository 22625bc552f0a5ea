import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createInboxDeadLetters } from '../../src/adapters/postgres/inbox-dead-letters.ts';
import { systemIds } from '../../src/adapters/system.ts';
import { type Caller, type LiveApi, startLiveApi } from '../support/live-api.ts';
import { event, jobsOf, rule } from '../support/placed-orders.ts';
import { waitUntil } from '../support/wait-until.ts';

let api: LiveApi;
beforeAll(async () => {
  api = await startLiveApi();
});
afterAll(() => api[Symbol.asyncDispose]());

async function subscribed(): Promise<Caller> {
  const caller = await api.caller();
  const put = await caller.call('PUT', `/v1/subscriptions/orders-of-${caller.tenantId}`, rule());
  expect(put.status).toBe(200);
  return caller;
}

describe('many messages put aside', () => {
  const REPLAY = '/v1/inbox/dead-letters/replay';

  /** Seven of a tenant that was suspended, with one in between that nothing can be made of. */
  async function waiting(): Promise<Caller> {
    const caller = await subscribed();
    const letters = Array.from({ length: 8 }, (_, index) => ({
      topic: 'order.placed',
      partition: 0,
      offset: String(index),
      groupId: caller.tenantId,
      tenantId: caller.tenantId,
      key: null,
      value: Buffer.from(
        index === 3 ? 'no json' : JSON.stringify({ ...event(`e-${index}`), tenantid: caller.tenantId }),
      ),
      headers: {},
      sentAt: 0,
      reason: index === 3 ? ('invalid' as const) : ('failed' as const),
      error: index === 3 ? 'is not JSON' : `enqueue for ${caller.tenantId}: tenant_suspended`,
      stack: null,
      faults: null,
      attempts: 4,
    }));
    const store = createInboxDeadLetters(api.database.pool, systemIds());
    for (const letter of letters) await store.add([letter]);
    return caller;
  }
  const left = async (caller: Caller, query = '') =>
    (await caller.call('GET', `/v1/inbox/dead-letters?status=waiting${query}`)).body.data;

  it('are replayed page by page, the oldest first, each once', async () => {
    const caller = await waiting();
    const order = { filter: { topic: 'order.placed' }, reason: 'the invoice was paid', limit: 3 };
    const pages = [await caller.call('POST', REPLAY, order)];
    expect(pages[0]).toMatchObject({ status: 200, body: { seen: 3, replayed: 3, left: 0, errors: [] } });
    for (let cursor = pages[0]?.body.nextCursor; cursor !== null; cursor = pages.at(-1)?.body.nextCursor) {
      pages.push(await caller.call('POST', REPLAY, { ...order, cursor }));
    }
    expect(pages.map(({ body }) => [body.seen, body.replayed, body.left])).toEqual([
      [3, 3, 0],
      [3, 2, 1],
      [2, 2, 0],
    ]);
    expect(pages[1]?.body.errors).toEqual([{ error: expect.stringContaining('JSON'), messages: 1 }]);
    expect(await left(caller)).toMatchObject([{ offset: '3' }]);
    expect((await jobsOf(api, caller)).toSorted()).toEqual(
      [0, 1, 2, 4, 5, 6, 7].map((index) => `{"id":"e-${index}"}`),
    );

    const again = await caller.call('POST', REPLAY, order);
    expect(again.body).toMatchObject({ seen: 1, replayed: 0, left: 1, nextCursor: null });
    expect(await jobsOf(api, caller)).toHaveLength(7);
    const noted = await waitUntil('it is noted', async () => {
      const { body } = await caller.call('GET', '/v1/audit');
      const found = body.data.filter(({ action }: { action: string }) => action === 'inbox.replay');
      return found.length === 4 && found;
    });
    expect(noted[0]).toMatchObject({ subject: 'dead-letters', reason: 'the invoice was paid' });
  });

  it('are chosen by what is wrong with them, and leave those of others alone', async () => {
    const [one, other] = [await waiting(), await waiting()];
    expect(await left(one, '&reason=invalid')).toHaveLength(1);
    expect(await left(one, '&error=tenant_suspended')).toHaveLength(7);
    const invalid = await one.call('POST', REPLAY, { filter: { reason: 'invalid' } });
    expect(invalid.body).toMatchObject({ seen: 1, replayed: 0 });
    const platform = await api.caller({ tenants: '*', role: 'operator' });
    const filter = { error: 'tenant_suspended', tenantId: one.tenantId };
    expect((await platform.call('POST', REPLAY, { filter })).body).toMatchObject({ seen: 7, replayed: 7 });
    expect(
      (await one.call('POST', REPLAY, { filter: { ...filter, tenantId: other.tenantId } })).body.seen,
    ).toBe(0);
    expect(await left(other)).toHaveLength(8);
    for (const wrong of [{}, { filter: {} }, { filter, cursor: 'x' }]) {
      expect((await one.call('POST', REPLAY, wrong)).status).toBe(400);
    }
  });

  it('that come after the first page wait for another replay', async () => {
    const caller = await waiting();
    const order = { filter: { reason: 'failed' }, limit: 6 };
    const first = await caller.call('POST', REPLAY, order);
    const [late] = await left(caller, '&reason=failed');
    await api.database.pool.query(
      `insert into inbox_dead_letters (id, topic, partition, "offset", group_id, tenant_id, value, headers, sent_at,
        reason, error, attempts)
      select gen_random_uuid(), topic, partition, 99, group_id, tenant_id, value, headers, sent_at, reason, error, attempts
      from inbox_dead_letters where id = $1`,
      [late.id],
    );
    const last = await caller.call('POST', REPLAY, { ...order, cursor: first.body.nextCursor });
    expect(last.body).toMatchObject({ seen: 1, replayed: 1, nextCursor: null });
    expect(await left(caller, '&reason=failed')).toMatchObject([{ offset: '99' }]);
  });
});
