import { describe, expect, it } from 'vitest';
import { type InboundMessage, InvalidMessageError } from '../../src/commands/inbound/inbound-event.ts';
import { parseMessage } from '../../src/commands/inbound/parse-message.ts';
import { planEffects } from '../../src/commands/inbound/plan-effects.ts';
import { type Subscription, subscriptionRule } from '../../src/commands/inbound/subscription.ts';

const message = (value: unknown, change: Partial<InboundMessage> = {}): InboundMessage => ({
  topic: 'orders',
  key: 'k',
  value: new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value)),
  headers: {},
  sentAt: 1_000,
  place: 'orders-0-17-1000',
  ...change,
});

function one(value: unknown, change: Partial<InboundMessage> = {}) {
  const [event, ...more] = parseMessage(message(value, change));
  if (!event || more.length > 0) throw new Error('expected one event');
  return event;
}

function faults(value: unknown, change: Partial<InboundMessage> = {}) {
  try {
    parseMessage(message(value, change));
  } catch (error) {
    if (error instanceof InvalidMessageError) return error.faults;
  }
  throw new Error('expected it to be invalid');
}

/** As the documents of other services show them. */
const SEEDS = {
  catalogue: {
    event: 'BrandCatalogUpdated',
    version: '1.0',
    occurred_at: '2025-06-01T10:30:00Z',
    service: 'brand',
    tenant_id: 'louvolite',
    payload: { brand: 1 },
  },
  order: {
    event_id: '7f3c...a2',
    event_type: 'order.placed',
    event_version: 2,
    tenant_id: 't_9a1c',
    occurred_at: '2026-04-16T08:12:44.312Z',
    correlation_id: 'cor_61af',
    causation_id: 'evt_14e2',
    producer: 'order-service@v1.8.3',
    data: { order_id: 'o_7812', customer_id: 'c_331' },
  },
  user: {
    eventId: 'evt-001',
    timestamp: 1_737_200_000_000,
    type: 'USER_CREATED',
    payload: { userId: 'u123', email: 'user@example.com' },
  },
  notification: {
    eventType: 'OrderPlaced',
    eventId: 'evt-a1b2c3d4',
    timestamp: '2026-04-15T10:30:00Z',
    aggregateId: 'order-98765',
    aggregateType: 'Order',
  },
  platform: {
    specversion: '1.0',
    type: 'eventzr.jobs.enqueued.v1',
    source: 'jobs-svc',
    id: 'evt-550e8400-e29b-41d4-a716-446655440000',
    time: '2026-02-24T12:00:00.000Z',
    datacontenttype: 'application/json',
    subject: '10000000-0000-4000-8000-000000000004',
    data: { jobId: 'job-uuid', priority: 5 },
  },
};

describe('a message', () => {
  it('may have any of the envelopes that are about', () => {
    expect(one(SEEDS.catalogue)).toMatchObject({
      eventId: 'orders-0-17-1000',
      type: 'BrandCatalogUpdated',
      source: 'brand',
      tenantId: 'louvolite',
      occurredAt: Date.UTC(2025, 5, 1, 10, 30),
      data: '{"brand":1}',
    });
    expect(one(SEEDS.order)).toMatchObject({
      eventId: '7f3c...a2',
      identity: '7f3c...a2',
      type: 'order.placed',
      tenantId: 't_9a1c',
      correlationId: 'cor_61af',
      data: '{"order_id":"o_7812","customer_id":"c_331"}',
    });
    expect(one(SEEDS.user)).toMatchObject({
      eventId: 'evt-001',
      tenantId: undefined,
      occurredAt: 1_737_200_000_000,
      type: 'USER_CREATED',
    });
    expect(one(SEEDS.notification)).toMatchObject({
      eventId: 'evt-a1b2c3d4',
      type: 'OrderPlaced',
      data: 'null',
    });
    expect(one(SEEDS.platform)).toMatchObject({
      tenantId: '10000000-0000-4000-8000-000000000004',
      identity: 'jobs-svc evt-550e8400-e29b-41d4-a716-446655440000',
    });
  });

  it('may be a CloudEvent in binary mode, or a list', () => {
    const headers = {
      ce_specversion: '1.0',
      ce_id: 'b-1',
      ce_source: 's',
      ce_type: 't',
      ce_time: '2026-04-15T10:30:00Z',
      ce_tenantid: 'acme',
      'content-type': 'application/json; charset=utf-8',
    };
    expect(one('{"n": 1}', { headers })).toMatchObject({
      eventId: 'b-1',
      tenantId: 'acme',
      data: '{"n": 1}',
    });
    expect(one('hello', { headers: { ...headers, 'content-type': 'text/plain' } }).data).toBe('"hello"');
    expect(parseMessage(message([SEEDS.order, SEEDS.user])).map(({ eventId }) => eventId)).toEqual([
      '7f3c...a2',
      'evt-001',
    ]);
    expect(parseMessage(message([SEEDS.catalogue, SEEDS.catalogue])).map(({ eventId }) => eventId)).toEqual([
      'orders-0-17-1000/0',
      'orders-0-17-1000/1',
    ]);
  });

  it('keeps its data as it was written', () => {
    const data = '{"big":12345678901234567890,  "a":1.0}';
    expect(one(`{"eventId":"e","timestamp":1,"type":"t","payload":${data}}`).data).toBe(data);
    const encoded = { ...SEEDS.platform, data: undefined, data_base64: btoa(data) };
    expect(one(encoded).data).toBe(data);
  });

  it('is refused with everything that is wrong with it', () => {
    expect(faults('{')).toMatchObject([{ path: '' }]);
    expect(faults('', { value: new Uint8Array([0xc3]) })).toEqual([{ path: '', message: 'is not UTF-8' }]);
    expect(faults('5')).toEqual([{ path: '', message: 'is not an object' }]);
    expect(faults('{"__proto__":{}}')).toMatchObject([{ path: '/__proto__' }]);
    expect(faults({ hello: 1 })[0]?.message).toMatch(/^is no envelope known here/);
    expect(
      faults([SEEDS.order, { ...SEEDS.user, payload: 'x', timestamp: 'noon' }]).map(({ path }) => path),
    ).toEqual(['/1/timestamp', '/1/payload']);
    expect(faults({ ...SEEDS.catalogue, payload: undefined })).toEqual([
      { path: '/payload', message: 'is required' },
    ]);
    expect(faults({ ...SEEDS.platform, id: '', source: '' }).map(({ path }) => path)).toEqual([
      '/id',
      '/source',
    ]);
  });
});

const subscription = (change: object, tenantId: string | null = null): Subscription => ({
  name: 's',
  tenantId,
  ...subscriptionRule.parse({ topic: 'orders', action: { kind: 'enqueue', type: 't' }, ...change }),
});

const plan = (value: unknown, subscriptions: readonly Subscription[]) =>
  planEffects(one(value), { subscriptions, now: Date.UTC(2026, 10, 21), maxPayloadBytes: 200 });

describe('what an event causes', () => {
  it('is the same job whenever it comes', () => {
    const [first] = plan(SEEDS.order, [subscription({})]);
    const [again] = plan({ ...SEEDS.order, occurred_at: '2026-05-01T00:00:00Z' }, [subscription({})]);
    expect(first?.action).toMatchObject({
      kind: 'enqueue',
      request: { type: 't', payload: one(SEEDS.order).data },
    });
    expect(again?.action).toEqual(first?.action);
    const [other] = plan({ ...SEEDS.order, tenant_id: 'x' }, [subscription({})]);
    expect(other?.action).not.toEqual(first?.action);
  });

  it('is for those subscriptions whose topic, types and tenant fit', () => {
    const fitting = [{}, { topic: '*' }, { topic: 'ord*' }, { types: ['order.*'] }, { types: ['x', '**'] }];
    const others = [{ topic: 'order' }, { topic: 'orders.*' }, { types: ['order'] }, { types: ['*'] }];
    expect(
      plan(
        SEEDS.order,
        fitting.map((change) => subscription(change)),
      ),
    ).toHaveLength(fitting.length);
    expect(
      plan(
        SEEDS.order,
        others.map((change) => subscription(change)),
      ),
    ).toEqual([]);
  });

  it('never shows a tenant what is not its own', () => {
    expect(plan(SEEDS.order, [subscription({ tenant: 'other' }, 'other')])).toEqual([]);
    expect(plan(SEEDS.user, [subscription({ tenant: 'other' }, 'other')])).toEqual([]);
    expect(plan(SEEDS.order, [subscription({ tenant: '$.data.customer_id' }, 't_9a1c')])).toMatchObject([
      { tenantId: 't_9a1c' },
    ]);
  });

  it('takes its tenant from a path, from the rule or from the envelope, or is refused', () => {
    expect(plan(SEEDS.user, [subscription({ tenant: '$.data.userId' })])).toMatchObject([
      { tenantId: 'u123' },
    ]);
    expect(plan(SEEDS.user, [subscription({ tenant: 'fixed' })])).toMatchObject([{ tenantId: 'fixed' }]);
    expect(() => plan(SEEDS.user, [subscription({})])).toThrow('the envelope names no tenant');
    expect(() => plan(SEEDS.user, [subscription({ tenant: '$.data.email' })])).toThrow('is no tenant id');
  });

  it('says whose rule is at fault without taking its name for a place in the message', () => {
    const faults = [{ path: '', message: 'subscription user-events: the envelope names no tenant' }];
    const named = { ...subscription({}), name: 'user-events' };
    expect(() => plan(SEEDS.user, [named])).toThrow(expect.objectContaining({ faults }));
  });

  it('is refused when no job can be made of it', () => {
    const action = (change: object) => subscription({ action: { kind: 'enqueue', type: 't', ...change } });
    expect(() => plan(SEEDS.order, [action({ type: '$.data.nothing' })])).toThrow('leads to no text');
    expect(() => plan(SEEDS.order, [action({ priority: '$.data.order_id' })])).toThrow('priority');
    expect(() => plan(SEEDS.order, [action({ runAt: '$.data.order_id' })])).toThrow('leads to no time');
    const large = { ...SEEDS.order, data: 'x'.repeat(300) };
    expect(() => plan(large, [action({})])).toThrow('payload_too_large');
  });
});
