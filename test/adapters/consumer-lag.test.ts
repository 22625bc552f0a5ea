import kafkajs, { type Kafka } from 'kafkajs';
import { expect, it } from 'vitest';
import { toProblem } from '../../src/adapters/http/problems.ts';
import { ConsumerLag } from '../../src/adapters/kafka/consumer-lag.ts';
import { prometheusMetrics } from '../../src/adapters/metrics.ts';
import type { Subscription } from '../../src/commands/inbound/subscription.ts';

const about = (topic: string): Subscription => ({
  name: topic,
  tenantId: null,
  topic,
  invalid: 'dead-letter',
  action: { kind: 'enqueue', type: 't' },
});

/** Topics of one partition each, with twenty messages of which seven were read. */
function cluster(topics: readonly string[]): Kafka {
  const nothing = async () => {};
  const admin = {
    connect: nothing,
    disconnect: nothing,
    listTopics: async () => topics,
    describeGroups: async () => ({ groups: [] }),
    fetchOffsets: async ({ topics: asked }: { topics: readonly string[] }) =>
      asked.map((topic) => ({ topic, partitions: [{ partition: 0, offset: '7' }] })),
    fetchTopicOffsets: async () => [{ partition: 0, low: '0', high: '20' }],
  };
  return { admin: () => admin } as unknown as Kafka;
}

it('is no longer reported of what nobody subscribes to any more', async () => {
  const metrics = prometheusMetrics();
  const reported = async () =>
    Array.from(
      (await metrics.text()).matchAll(/^eventzr_inbox_lag\{.*topic="(\w+)".*\} (\d+)$/gm),
      ([, ...found]) => found.join(),
    );
  let subscriptions = [about('a'), about('b')];
  const lag = new ConsumerLag({
    kafka: cluster(['a', 'b']),
    subscriptions: { current: async () => subscriptions },
    naming: { prefix: 'p', service: 's' },
    metrics,
  });
  await lag.report();
  expect(await reported()).toEqual(['a,13', 'b,13']);
  subscriptions = [about('b')];
  await lag.report();
  expect(await reported()).toEqual(['b,13']);
  subscriptions = [];
  await lag.report();
  expect(await reported()).toEqual([]);
});

it.each([
  [
    'refuses the login',
    new kafkajs.KafkaJSNumberOfRetriesExceeded(
      Object.assign(new Error('Invalid username'), { name: 'KafkaJSSASLAuthenticationError' }),
      { retryCount: 1, retryTime: 100 },
    ),
    'Kafka refuses the credentials of this service',
  ],
  ['is away', new kafkajs.KafkaJSConnectionError('connect ECONNREFUSED'), 'Kafka does not answer'],
])('says that Kafka %s', async (_, error, detail) => {
  const connect = async () => Promise.reject(error);
  const admin = { connect, disconnect: async () => {} };
  const lag = new ConsumerLag({
    kafka: { admin: () => admin } as unknown as Kafka,
    subscriptions: { current: async () => [about('a')] },
    naming: { prefix: 'p', service: 's' },
    metrics: prometheusMetrics(),
  });
  const problem = await lag.list().catch(toProblem);
  expect(problem).toMatchObject({ code: 'kafka-unavailable', message: detail });
});
