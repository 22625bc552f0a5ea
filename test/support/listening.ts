import { randomBytes } from 'node:crypto';
import kafkajs, { type Admin, Kafka, logLevel, type Message, type Producer } from 'kafkajs';
import type { KafkaOptions } from '../../src/adapters/kafka/options.ts';
import type { Subscription, SubscriptionRule } from '../../src/commands/inbound/subscription.ts';
import { subscriptionRule } from '../../src/commands/inbound/subscription.ts';
import { createEngine, type Engine } from '../../src/engine.ts';
import type { InboundSettings } from '../../src/inbound.ts';
import { createDatabase, createDatabaseAt, type TestDatabase } from './database.ts';
import { createTopic } from './kafka-topic.ts';
import { waitUntil } from './wait-until.ts';

/** Engines on one database that listen to one broker, and a producer beside them. */
export interface Listening extends AsyncDisposable {
  readonly brokers: readonly string[];
  readonly database: TestDatabase;
  readonly admin: Admin;
  readonly topic: string;
  readonly groupId: string;
  start(settings?: Partial<InboundSettings>): Promise<Engine>;
  subscribe(name: string, rule: SubscriptionInput): Promise<void>;
  send(...messages: readonly (Message | object)[]): Promise<void>;
  /** Payloads of the jobs of a tenant, in the order of their creation. */
  jobs(tenantId: string): Promise<readonly unknown[]>;
  committed(): Promise<number>;
  /** Everything sent so far is read and committed. */
  caughtUp(): Promise<void>;
  /** What is on a topic now. */
  read(topic: string): Promise<readonly ReadMessage[]>;
}

export type SubscriptionInput = Omit<SubscriptionRule, 'invalid'> & {
  readonly invalid?: Subscription['invalid'];
};

export interface ReadMessage {
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

export async function listening(
  brokers: readonly string[],
  {
    partitions = 3,
    retryMs = [20, 20, 20],
    server,
  }: {
    partitions?: number;
    retryMs?: readonly number[];
    /** PostgreSQL of the test's own. */
    server?: string;
  } = {},
): Promise<Listening> {
  const database = await (server === undefined ? createDatabase() : createDatabaseAt(server));
  const prefix = `t${randomBytes(4).toString('hex')}`;
  const topic = `${prefix}.orders`;
  const naming = { prefix, service: 'jobs' };
  const groupId = `${prefix}-jobs-orders`;
  const client = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const admin = client.admin();
  const connectProducer = async (): Promise<Producer> => {
    const made = client.producer({ allowAutoTopicCreation: false, idempotent: true });
    await made.connect();
    return made;
  };
  let producer = await connectProducer();
  await admin.connect();
  await createTopic(admin, topic, partitions);
  const kafka: KafkaOptions = {
    connection: { brokers, clientId: 'test' },
    topics: { prefix: '', partitions: 1, replication: 1, retentionMs: 3_600_000, create: true },
    contentMode: 'structured',
  };
  const engines: Engine[] = [];
  const ends = async (): Promise<number> =>
    (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);
  const committed = async (): Promise<number> => {
    const [found] = await admin.fetchOffsets({ groupId, topics: [topic] });
    return (found?.partitions ?? []).reduce((sum, { offset }) => sum + Math.max(0, Number(offset)), 0);
  };
  return {
    brokers,
    database,
    admin,
    topic,
    groupId,
    async start(settings = {}) {
      const inbound: InboundSettings = {
        naming,
        start: 'earliest',
        keepMs: 86_400_000,
        retryMs,
        lookMs: 100,
        ...settings,
      };
      const roles = new Set(['inbox', 'timers'] as const);
      const engine = await createEngine({ databaseUrl: database.url, kafka, inbound, roles });
      engines.push(engine);
      return engine;
    },
    async subscribe(name, rule) {
      await database.pool.query(
        `insert into eventzr.subscriptions (name, rule, updated_by) values ($1, $2, 'test')
         on conflict (owner, name) do update set rule = excluded.rule`,
        [name, JSON.stringify(subscriptionRule.parse(rule))],
      );
    },
    async send(...messages) {
      const batch = { topic, messages: messages.map(toMessage) };
      try {
        await producer.send(batch);
      } catch (error) {
        // kafkajs miscounts after a partition of a new topic refused a batch for a moment, and can't send any more.
        if (!(error instanceof kafkajs.KafkaJSProtocolError) || error.type !== 'OUT_OF_ORDER_SEQUENCE_NUMBER')
          throw error;
        await producer.disconnect();
        producer = await connectProducer();
        await producer.send(batch);
      }
    },
    async jobs(tenantId) {
      const { rows } = await database.pool.query<{ content: string }>(
        `select content from eventzr.events
         where type = 'JobEnqueued' and stream ^@ $1 order by position`,
        [`job-${tenantId}.`],
      );
      return rows.map(({ content }) => JSON.parse(content) as unknown);
    },
    committed,
    async caughtUp() {
      // A fresh broker has no coordinator for the group at first.
      const isCaughtUp = async () => (await committed()) === (await ends());
      await waitUntil('the group has caught up', () => isCaughtUp().catch(() => false), {
        timeoutMs: 80_000,
      });
      await waitUntil('staged jobs are in the log', async () => {
        const { rows } = await database.pool.query('select from eventzr.staged_jobs limit 1');
        return rows.length === 0;
      });
    },
    read: (from) => readTopic(client, admin, from),
    async [Symbol.asyncDispose]() {
      await Promise.all(engines.map((engine) => engine.stop()));
      await Promise.all([admin.disconnect(), producer.disconnect()]);
      await database[Symbol.asyncDispose]();
    },
  };
}

async function readTopic(client: Kafka, admin: Admin, topic: string): Promise<readonly ReadMessage[]> {
  const offsets = await admin.fetchTopicOffsets(topic);
  const wanted = offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  const found: ReadMessage[] = [];
  const consumer = client.consumer({ groupId: `reader-${randomBytes(4).toString('hex')}` });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message: { value, headers = {} } }) => {
      const texts = Object.entries(headers).map(([name, text]) => [name, String(text)]);
      found.push({ value: String(value), headers: Object.fromEntries(texts) });
    },
  });
  await waitUntil(`${topic} is read`, () => found.length >= wanted, { timeoutMs: 60_000 });
  await consumer.disconnect();
  return found;
}

const toMessage = (given: Message | object): Message =>
  'value' in given ? (given as Message) : { value: JSON.stringify(given) };
