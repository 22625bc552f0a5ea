import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KafkaServer, startKafka, whyNoKafka } from '../support/kafka-server.ts';
import { type Listening, listening } from '../support/listening.ts';
import { waitUntil } from '../support/wait-until.ts';

const given = process.env.KAFKA_BROKERS?.split(',');
const skip = given === undefined && whyNoKafka() !== undefined;

let own: KafkaServer | undefined;
let brokers: readonly string[];

beforeAll(async () => {
  if (skip) return;
  own = given ? undefined : await startKafka();
  brokers = given ?? own?.brokers ?? [];
}, 300_000);

afterAll(async () => {
  await own?.[Symbol.asyncDispose]();
});

const order = (n: number, tenant = 'acme') => ({
  event_id: `evt-${n}`,
  event_type: 'order.placed',
  event_version: 2,
  tenant_id: tenant,
  occurred_at: '2026-04-16T08:12:44.312Z',
  data: { n },
});

const numbers = (jobs: readonly unknown[]) =>
  jobs.map((job) => (job as { n: number }).n).toSorted((a, b) => a - b);

async function ordersInto(set: Listening, action = {}): Promise<void> {
  await set.subscribe('orders', {
    topic: set.topic,
    action: { kind: 'enqueue', type: 'order.fulfil', ...action },
  });
}

const deadLettersOf = async ({ database }: Listening) =>
  (
    await database.pool.query<{ id: string; reason: string; attempts: number; published: boolean }>(
      'select id, reason, attempts, published from eventzr.inbox_dead_letters order by failed_at',
    )
  ).rows;

describe.skipIf(skip)('the inbox', { timeout: 180_000 }, () => {
  it('makes jobs of the envelopes that are about, on Kafka', async () => {
    await using set = await listening(brokers);
    await set.subscribe('orders', {
      topic: set.topic,
      tenant: 'acme',
      action: { kind: 'enqueue', type: 'order.fulfil' },
    });
    await set.start();
    await set.send(
      order(1),
      {
        event: 'Order',
        version: '1.0',
        occurred_at: '2025-06-01T10:30:00Z',
        service: 's',
        payload: { n: 2 },
      },
      { eventId: 'e3', timestamp: 1_737_200_000_000, type: 'ORDER', payload: { n: 3 } },
      {
        eventId: 'e4',
        eventType: 'Order',
        timestamp: '2026-04-15T10:30:00Z',
        aggregateId: 'o',
        data: { n: 4 },
      },
      { specversion: '1.0', id: 'e5', source: 'shop', type: 'order', data: { n: 5 } },
      {
        value: '{"n": 6}',
        headers: {
          ce_specversion: '1.0',
          ce_id: 'e6',
          ce_source: 'shop',
          ce_type: 'order',
          'content-type': 'application/json',
        },
      },
    );
    await set.caughtUp();
    expect(numbers(await set.jobs('acme'))).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('does nothing twice: not for two of the same, not when the whole topic is read again', async () => {
    await using set = await listening(brokers);
    await ordersInto(set);
    const first = await set.start();
    for (let n = 0; n < 50; n += 1) await set.send(order(n), order(n));
    await set.caughtUp();
    await first.stop();
    await set.admin.resetOffsets({ groupId: set.groupId, topic: set.topic, earliest: true });
    expect(await set.committed()).toBe(0);
    await set.start();
    await set.caughtUp();
    expect(numbers(await set.jobs('acme'))).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });

  it('does nothing twice when the ledger has forgotten: the id of the job is taken', async () => {
    await using set = await listening(brokers);
    await ordersInto(set);
    const first = await set.start();
    await set.send(order(1));
    await set.caughtUp();
    await first.stop();
    await set.database.pool.query('truncate eventzr.processed_events');
    await set.admin.resetOffsets({ groupId: set.groupId, topic: set.topic, earliest: true });
    await set.start();
    await set.caughtUp();
    expect(numbers(await set.jobs('acme'))).toEqual([1]);
  });

  it('puts invalid messages aside at once, and the partition goes on', async () => {
    await using set = await listening(brokers, { partitions: 1 });
    await ordersInto(set);
    await set.start();
    await set.send(
      { key: 'k', value: 'no json', headers: { trace: 'x' } },
      { value: Buffer.from([0xff, 0xfe]) },
      { value: '{"some":"thing"}' },
      { value: JSON.stringify({ ...order(1), tenant_id: 'not a tenant', occurred_at: 'noon' }) },
      order(2),
    );
    await set.caughtUp();
    expect(numbers(await set.jobs('acme'))).toEqual([2]);
    const letters = await deadLettersOf(set);
    expect(letters).toHaveLength(4);
    expect(letters.every(({ reason, published }) => reason === 'invalid' && published)).toBe(true);
    const aside = await set.read(`${set.topic}.dlq`);
    expect(aside.map(({ value }) => value)).toContain('no json');
    const first = aside.find(({ value }) => value === 'no json');
    expect(first?.headers).toMatchObject({
      trace: 'x',
      'dlq-reason': 'invalid',
      'dlq-attempts': '1',
      'dlq-group': set.groupId,
      'dlq-origin-topic': set.topic,
      'dlq-origin-partition': '0',
      'dlq-origin-offset': '0',
    });
    expect(first?.headers['dlq-origin-time']).toMatch(/^\d{4}-/);
    expect(first?.headers['dlq-failed-at']).toMatch(/^\d{4}-/);
    expect(first?.headers['dlq-stack']).toContain('parse-message');
    const faults = aside.flatMap(
      ({ headers }) => JSON.parse(headers['dlq-faults'] ?? '[]') as { path: string }[],
    );
    expect(faults.map(({ path }) => path)).toEqual(expect.arrayContaining(['/tenant_id', '/occurred_at']));
  });

  it('throws invalid messages away where the subscription says so', async () => {
    await using set = await listening(brokers, { partitions: 1 });
    await set.subscribe('orders', {
      topic: set.topic,
      invalid: 'discard',
      action: { kind: 'enqueue', type: 'order.fulfil' },
    });
    await set.start();
    await set.send({ value: 'no json' }, order(1));
    await set.caughtUp();
    expect(numbers(await set.jobs('acme'))).toEqual([1]);
    expect(await deadLettersOf(set)).toEqual([]);
  });

  it('tries three times more what fails, then puts it aside; meanwhile the partition goes on', async () => {
    await using set = await listening(brokers, { partitions: 1 });
    await ordersInto(set);
    await set.subscribe('cancelled', {
      topic: set.topic,
      types: ['order.cancelled'],
      action: { kind: 'cancel', job: { subscription: 'orders', dedupeId: '$.data.of' } },
    });
    await set.subscribe('orders', {
      topic: set.topic,
      types: ['order.placed'],
      action: { kind: 'enqueue', type: 'order.fulfil' },
    });
    const gate = Promise.withResolvers<void>();
    await set.start({ wait: () => gate.promise });
    const cancel = (of: string) => ({
      ...order(1),
      event_id: `c-${of}`,
      event_type: 'order.cancelled',
      data: { of },
    });
    await set.send(cancel('evt-missing'), order(7));
    await waitUntil('the next message is done', async () => (await set.jobs('acme')).length === 1);
    expect(await set.committed()).toBe(0);
    gate.resolve();
    await set.caughtUp();
    const [letter] = await deadLettersOf(set);
    expect(letter).toMatchObject({ reason: 'failed', attempts: 4, published: true });
    const [aside] = await set.read(`${set.topic}.dlq`);
    expect(aside?.headers).toMatchObject({ 'dlq-reason': 'failed', 'dlq-attempts': '4' });
    expect(aside?.headers['dlq-error']).toContain('job_not_found');
  });

  it('waits 1, 2 and 4 seconds between tries unless something else is set', async () => {
    await using set = await listening(brokers, { partitions: 1 });
    await set.subscribe('cancelled', {
      topic: set.topic,
      tenant: 'acme',
      action: { kind: 'cancel', job: { subscription: 'orders', dedupeId: '$.id' } },
    });
    const waited: number[] = [];
    const wait = async (ms: number) => {
      waited.push(ms);
    };
    await set.start({ retryMs: undefined, wait });
    await set.send(order(1));
    await set.caughtUp();
    expect(waited).toEqual([1_000, 2_000, 4_000]);
    expect(await deadLettersOf(set)).toMatchObject([{ reason: 'failed', attempts: 4 }]);
  });

  it('cancels the job of an event that came right before', async () => {
    await using set = await listening(brokers, {
      partitions: 1,
      retryMs: [100, 200, 400, 800, 1_600, 3_200, 6_400],
    });
    await set.subscribe('orders', {
      topic: set.topic,
      types: ['order.placed'],
      action: { kind: 'enqueue', type: 'order.fulfil' },
    });
    await set.subscribe('cancelled', {
      topic: set.topic,
      types: ['order.cancelled'],
      action: { kind: 'cancel', job: { subscription: 'orders', dedupeId: '$.data.of' } },
    });
    await set.start();
    await set.send(order(1), { ...order(2), event_type: 'order.cancelled', data: { of: 'evt-1' } });
    await set.caughtUp();
    const { rows } = await set.database.pool.query(`select from eventzr.events where type = 'JobCancelled'`);
    expect(rows).toHaveLength(1);
    expect(await deadLettersOf(set)).toEqual([]);
  });

  it('loses and doubles nothing when consumers come and go in the middle', async () => {
    await using set = await listening(brokers, { partitions: 6 });
    await ordersInto(set);
    const total = 3_000;
    const first = await set.start();
    const sending = (async () => {
      for (let n = 0; n < total; n += 50) {
        await set.send(
          ...Array.from({ length: 50 }, (_, i) => ({
            key: `k${n + i}`,
            value: JSON.stringify(order(n + i)),
          })),
        );
      }
    })();
    await waitUntil('it is under way', async () => (await set.jobs('acme')).length > 200, {
      timeoutMs: 60_000,
    });
    await set.start();
    await sending;
    await waitUntil(
      'two share the partitions',
      async () => (await set.admin.describeGroups([set.groupId])).groups[0]?.members.length === 2,
      { timeoutMs: 60_000 },
    );
    await first.stop();
    await set.caughtUp();
    expect(numbers(await set.jobs('acme'))).toEqual(Array.from({ length: total }, (_, n) => n));
    expect(await deadLettersOf(set)).toEqual([]);
  });

  it('leaves topics alone that no subscription is about, and finds new ones', async () => {
    await using set = await listening(brokers);
    await set.subscribe('other', {
      topic: `${set.topic}.*`,
      action: { kind: 'enqueue', type: 'order.fulfil' },
    });
    const engine = await set.start();
    await set.send(order(1));
    expect(await engine.parts.inbound.consumers()).toEqual([]);
    await ordersInto(set);
    await set.caughtUp();
    expect(numbers(await set.jobs('acme'))).toEqual([1]);
    const groups = await engine.parts.inbound.consumers();
    expect(groups).toMatchObject([
      { groupId: set.groupId, topics: [set.topic], members: 1, lag: 0, state: 'ok' },
    ]);
    expect(groups[0]?.partitions).toHaveLength(3);
  });
});
