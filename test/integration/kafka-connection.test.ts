import { once } from 'node:events';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createFeedProducer, createKafka } from '../../src/adapters/kafka/connect.ts';
import { ConsumerLag } from '../../src/adapters/kafka/consumer-lag.ts';
import { mskToken } from '../../src/adapters/kafka/msk-token.ts';
import type { KafkaConnection, KafkaSasl } from '../../src/adapters/kafka/options.ts';
import { createPartitionOf } from '../../src/adapters/kafka/partition-of.ts';
import { ensureTopics, FEED_TOPICS } from '../../src/adapters/kafka/topics.ts';
import { noLogger, noMetrics } from '../../src/commands/telemetry.ts';
import { type KafkaServer, startKafka, whyNoKafka } from '../support/kafka-server.ts';
import { waitUntil } from '../support/wait-until.ts';

const skip = whyNoKafka({ login: true }) !== undefined;
const login = { username: 'me', password: 'secret' };
const topics = { prefix: '', partitions: 1, replication: -1, retentionMs: 3_600_000, create: true };
let kafka: KafkaServer;

beforeAll(async () => {
  if (skip) return;
  kafka = await startKafka({ login });
  // The first handshake takes Java longer than any other; clients do not wait that long on a busy machine.
  const [address = ''] = kafka.secured?.brokers ?? [];
  const [host, port] = address.split(':');
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  socket.destroy();
}, 300_000);

afterAll(async () => {
  await kafka?.[Symbol.asyncDispose]();
});

describe.skipIf(skip)('a connection to Kafka', { timeout: 180_000 }, () => {
  it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    'is made with TLS and %s',
    async (mechanism) => {
      const connection = securedBy({ mechanism, ...login });
      const client = createKafka(connection, noLogger);
      const admin = client.admin();
      await admin.connect();
      const partitions = await ensureTopics(admin, topics);
      await admin.disconnect();
      expect([...partitions.keys()].sort()).toEqual([...FEED_TOPICS].sort());
      const producer = createFeedProducer(client);
      await producer.connect();
      // A broker names itself leader of a new partition a moment before it takes anything for it.
      const sent = await waitUntil('the broker takes what is sent', () =>
        producer
          .send({ topic: FEED_TOPICS[0], messages: [{ key: 'acme', value: '{}' }] })
          .then(([first]) => first)
          .catch(() => undefined),
      );
      await producer.disconnect();
      expect(sent).toMatchObject({ errorCode: 0 });
    },
  );

  it('is refused with the wrong password', async () => {
    const admin = createKafka(securedBy({ ...login, mechanism: 'plain', password: 'no' }), noLogger).admin();
    await expect(admin.connect()).rejects.toThrow(/authentication/i);
    await admin.disconnect();
  });

  it.each(['plain', 'scram-sha-256'] as const)(
    'says of consumers that it is refused: %s',
    async (mechanism) => {
      const rule = {
        topic: 'orders',
        invalid: 'dead-letter',
        action: { kind: 'enqueue', type: 't' },
      } as const;
      const lag = new ConsumerLag({
        kafka: createKafka(securedBy({ ...login, mechanism, password: 'no' }), noLogger),
        subscriptions: { current: async () => [{ name: 'orders', tenantId: null, ...rule }] },
        naming: { prefix: 'p', service: 's' },
        metrics: noMetrics,
      });
      await expect(lag.list()).rejects.toThrow('Kafka refuses the credentials of this service');
    },
  );

  it('is not made with a broker whose certificate is not trusted', async () => {
    const connection = { ...securedBy({ ...login, mechanism: 'plain' }), tls: {} };
    const admin = createKafka(connection, noLogger).admin();
    await expect(admin.connect()).rejects.toThrow(/certificate/);
    await admin.disconnect();
  });

  it('says which topics are missing when it may not create them', async () => {
    const admin = createKafka({ brokers: kafka.brokers, clientId: 'test' }, noLogger).admin();
    await admin.connect();
    const ensured = ensureTopics(admin, { ...topics, prefix: 'other.', create: false });
    await expect(ensured).rejects.toThrow(/other\.eventzr\.jobs\.enqueued\.v1/);
    await admin.disconnect();
  });

  function securedBy(sasl: KafkaSasl): KafkaConnection {
    const { brokers, ca } = kafka.secured ?? { brokers: [], ca: '' };
    return { brokers, clientId: 'test', tls: { ca }, sasl };
  }
});

it('signs tokens for Amazon MSK with the credentials of the AWS SDK', async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'wJalrXUtnFEMI');
  const { value } = await mskToken('eu-central-1');
  vi.unstubAllEnvs();
  const url = new URL(Buffer.from(value, 'base64url').toString());
  expect(url.host).toBe('kafka.eu-central-1.amazonaws.com');
  expect(url.searchParams.get('Action')).toBe('kafka-cluster:Connect');
  expect(url.searchParams.get('X-Amz-Credential')).toMatch(/^AKIDEXAMPLE\/.*\/eu-central-1\/kafka-cluster\//);
});

it('puts a key where other Kafka clients put it', () => {
  const partitionOf = createPartitionOf();
  // As the Java client has them: org.apache.kafka.common.utils.UtilsTest.
  const murmur2 = { '21': -973932308, foobar: -790332482, 'a-little-bit-long-string': -985981536 };
  for (const [key, hash] of Object.entries(murmur2)) {
    expect(partitionOf(key, 7)).toBe((hash & 0x7fffffff) % 7);
    expect(partitionOf(key, 6)).toBe((hash & 0x7fffffff) % 6);
  }
});
