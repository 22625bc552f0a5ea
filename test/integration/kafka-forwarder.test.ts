import { once } from 'node:events';
import { CloudEvent, type CloudEventV1, Kafka as KafkaBinding, type KafkaMessage } from 'cloudevents';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FEED_TOPICS } from '../../src/adapters/kafka/topics.ts';
import { createForwarderStore, type ForwarderStore } from '../../src/adapters/postgres/forwarder-store.ts';
import { supervise } from '../../src/adapters/supervise.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import type { TestDatabase } from '../support/database.ts';
import { expectOrder, numbersIn } from '../support/feed-order.ts';
import { feedSetUp } from '../support/feed-set-up.ts';
import {
  appendInTurn,
  appendJob,
  PUBLIC_EVENTS_OF_A_JOB as EVENTS,
  forwarding,
} from '../support/forwarding.ts';
import { readFeed } from '../support/kafka-reader.ts';
import { type KafkaServer, startKafka, whyNoKafka } from '../support/kafka-server.ts';
import { createTopic } from '../support/kafka-topic.ts';
import { appendQuota } from '../support/public-quota-events.ts';
import { running } from '../support/running.ts';
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

describe.skipIf(skip)('the forwarder to Kafka', { timeout: 180_000 }, () => {
  it('creates the eleven topics as configured', async () => {
    await using set = await feedSetUp(brokers);
    await using _forwarder = forwarding(set);
    const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const wanted = FEED_TOPICS.map((name) => set.prefix + name);
    await waitUntil('the topics exist', async () => {
      const present = new Set(await admin.listTopics());
      return wanted.every((topic) => present.has(topic));
    });
    const topics = await admin.fetchTopicMetadata({ topics: wanted });
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: 2, name: `${set.prefix}${FEED_TOPICS[0]}`, configNames: ['retention.ms'] }],
    });
    await admin.disconnect();
    expect(FEED_TOPICS).toHaveLength(11);
    expect(topics.topics.map(({ partitions }) => partitions.length)).toEqual(FEED_TOPICS.map(() => 3));
    expect(resources[0]?.configEntries).toMatchObject([
      { configName: 'retention.ms', configValue: '3600000' },
    ]);
  });

  it('sends public events as CloudEvents, by topic, with the tenant as the key', async () => {
    await using set = await feedSetUp(brokers);
    await appendJob(set.log, 'acme', 1, { payload: '{"big":12345678901234567890, "n":1}' });
    await using _forwarder = forwarding(set);
    await set.caughtUp();
    await using reader = await readFeed(brokers, set.prefix);
    const messages = await reader.distinct(EVENTS);
    expect(messages.map(({ topic }) => topic).sort()).toEqual([
      'eventzr.jobs.completed.v1',
      'eventzr.jobs.enqueued.v1',
      'eventzr.jobs.started.v1',
    ]);
    for (const { topic, key, headers, value } of messages) {
      expect({ key, headers }).toEqual({
        key: 'acme',
        headers: { 'content-type': 'application/cloudevents+json' },
      });
      const event = new CloudEvent<Record<string, unknown>>(JSON.parse(value), true);
      expect(event).toMatchObject({
        type: topic,
        source: 'jobs-svc',
        subject: 'acme',
        partitionkey: 'acme',
        correlationid: 'c-1',
        causationid: 'k-1',
        recordedtime: expect.stringMatching(/Z$/),
        sequence: expect.stringMatching(/^0{9}[013]$/),
        id: expect.stringMatching(/^evt-[0-9a-f-]{36}$/),
        data: { tenantId: 'acme', jobId: 'job-1' },
      });
    }
    const sent = messages.find(({ topic }) => topic.includes('enqueued'))?.value;
    expect(sent).toContain('"payload":{"big":12345678901234567890, "n":1}');
  });

  it('puts attributes into headers in binary mode', async () => {
    await using set = await feedSetUp(brokers);
    await appendJob(set.log, 'acme', 1);
    await using _forwarder = forwarding({ ...set, contentMode: 'binary' });
    await set.caughtUp();
    await using reader = await readFeed(brokers, set.prefix);
    for (const { headers, key, value, topic, id } of await reader.distinct(EVENTS)) {
      const message: KafkaMessage<string> = { headers, key, value, body: value };
      const event = KafkaBinding.toEvent(message);
      expect(event as CloudEventV1<unknown>).toMatchObject({
        id,
        type: topic,
        specversion: '1.0',
        subject: 'acme',
        data: { tenantId: 'acme' },
      });
    }
  });

  it('keeps the events of a tenant in order, and a tenant in one partition', async () => {
    await using set = await feedSetUp(brokers);
    const tenants = ['a', 'b', 'c', 'd', 'e'];
    const append = (from: number, to: number) =>
      Promise.all(tenants.map((tenant) => appendInTurn(set.log, tenant, from, to)));
    await append(0, 20);
    await using _forwarder = forwarding(set);
    await append(20, 40);
    await set.caughtUp();
    await using reader = await readFeed(brokers, set.prefix);
    const messages = await reader.distinct(5 * 40 * EVENTS);
    expect(messages).toHaveLength(5 * 40 * EVENTS);
    expectOrder(messages, tenants, 40);
  });

  it('goes on when a topic was made anew with fewer partitions', async () => {
    await using set = await feedSetUp(brokers);
    const topic = `${set.prefix}eventzr.jobs.enqueued.v1`;
    const tenants = ['a', 'b', 'c', 'd', 'e'];
    await using _forwarder = running((signal) =>
      supervise({
        name: 'forwarder',
        signal,
        task: async (stop) => {
          await using forwarder = forwarding(set);
          await Promise.race([forwarder.ended, once(stop, 'abort')]);
        },
      }),
    );
    await appendJob(set.log, 'a', 0);
    await set.caughtUp();
    const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic] });
    await waitUntil('it is gone', async () => !(await admin.listTopics()).includes(topic));
    await createTopic(admin, topic, 1);
    await admin.disconnect();
    await Promise.all(tenants.map((tenant) => appendJob(set.log, tenant, 1, { jobId: 'after' })));
    await set.caughtUp();
    await using reader = await readFeed(brokers, set.prefix);
    const messages = await reader.distinct(EVENTS - 1 + tenants.length * EVENTS);
    expect(messages.filter((message) => message.topic === 'eventzr.jobs.enqueued.v1')).toHaveLength(
      tenants.length,
    );
  });

  it('moves its checkpoint only after the broker has everything, and says what is pending', async () => {
    await using set = await feedSetUp(brokers);
    await appendJob(set.log, 'acme', 1);
    expect(await pending(set)).toEqual([
      { topic: 'eventzr.jobs.enqueued.v1', tenant_id: 'acme' },
      { topic: 'eventzr.jobs.started.v1', tenant_id: 'acme' },
      { topic: 'eventzr.jobs.completed.v1', tenant_id: 'acme' },
    ]);
    expect(await set.status.read()).toMatchObject({ status: 'waiting', lagEvents: 4, position: 0n });
    await using _forwarder = forwarding(set);
    const state = await set.caughtUp();
    expect(state).toMatchObject({ status: 'live', leader: 'test', lagEvents: 0, lagMs: 0, undelivered: 0 });
    expect(state.position).toBe(state.head);
    expect(await pending(set)).toEqual([]);
  });

  it('sends what happens to quotas, keyed by the tenant', async () => {
    await using set = await feedSetUp(brokers);
    await appendQuota(set.log, 'acme');
    const quota = ['eventzr.jobs.quota.exceeded.v1', 'eventzr.jobs.quota.reset.v1'];
    expect(await pending(set)).toEqual(quota.map((topic) => ({ topic, tenant_id: 'acme' })));
    await using _forwarder = forwarding(set);
    expect(await set.caughtUp()).toMatchObject({ undelivered: 0 });
    await using reader = await readFeed(brokers, set.prefix);
    const messages = await reader.distinct(quota.length);
    expect(messages.map(({ topic, key }) => `${topic} ${key}`).sort()).toEqual(
      quota.map((topic) => `${topic} acme`),
    );
  });

  it('sends a page again with the same ids after a crash between acknowledgement and checkpoint', async () => {
    await using set = await feedSetUp(brokers);
    await appendInTurn(set.log, 'acme', 0, 10);
    const store: ForwarderStore = {
      ...createForwarderStore(set.pool),
      move: () => Promise.reject(new Error('the process is gone')),
    };
    const crashed = forwarding({ ...set, store });
    await expect(crashed.ended).rejects.toThrow('the process is gone');
    expect(await set.status.read()).toMatchObject({ position: 0n });
    await using _second = forwarding(set);
    await set.caughtUp();
    await using reader = await readFeed(brokers, set.prefix);
    const times = await waitUntil('both sends are read', () => {
      const found = Map.groupBy(reader.messages, ({ id }) => id);
      return found.size >= 10 * EVENTS && [...found.values()].every(({ length }) => length >= 2) && found;
    });
    expect(times.size).toBe(10 * EVENTS);
    for (const [one, ...others] of times.values()) {
      for (const other of others) expect(other).toEqual({ ...one, time: expect.any(Number) });
    }
    expectOrder(reader.messages, ['acme'], 10);
  });

  it('lets nothing of a replaced leader move the checkpoint', async () => {
    await using set = await feedSetUp(brokers);
    const store = createForwarderStore(set.pool);
    expect(await store.claim(1n)).toBe(0n);
    expect(await store.claim(2n)).toBe(0n);
    const move = { from: 0n, to: 5n, eventsPerSecond: 0, undelivered: [] };
    await expect(store.move({ ...move, fence: 1n })).rejects.toThrow(/no longer where/);
    await expect(store.claim(1n)).rejects.toThrow(/no longer where/);
    await store.move({ ...move, fence: 2n });
    await expect(store.move({ ...move, fence: 2n })).rejects.toThrow(/no longer where/);
  });

  it('sets aside what Kafka refuses or nobody can read, and goes on', async () => {
    await using set = await feedSetUp(brokers);
    await appendJob(set.log, 'acme', 1);
    await appendJob(set.log, 'acme', 2, { payload: JSON.stringify('x'.repeat(1_200_000)) });
    await appendJob(set.log, 'acme', 3);
    await appendJob(set.log, 'acme', 4);
    const decode: typeof decodeEvent = (stored) => {
      if (stored.stream.endsWith('job-3') && stored.type === 'JobStarted') throw new Error('torn');
      return decodeEvent(stored);
    };
    await using _forwarder = forwarding({ ...set, decode });
    const state = await set.caughtUp();
    expect(state).toMatchObject({ status: 'live', undelivered: 2 });
    const { rows } = await set.pool.query(
      'select stream, revision, type, error from forwarder_dead_letters order by position',
    );
    expect(rows).toEqual([
      {
        stream: 'job-acme.job-2',
        revision: 0,
        type: 'JobEnqueued',
        error: expect.stringMatching(/larger than the max/),
      },
      { stream: 'job-acme.job-3', revision: 1, type: 'JobStarted', error: 'torn' },
    ]);
    await using reader = await readFeed(brokers, set.prefix);
    const messages = await reader.distinct(4 * EVENTS - 2);
    expect(numbersIn(messages, 'acme')).toEqual([1, 3, 4]);
  });
});

async function pending({ pool }: { readonly pool: TestDatabase['pool'] }) {
  const { rows } = await pool.query('select topic, tenant_id from kafka_outbox order by position');
  return rows;
}
