import { readFileSync } from 'node:fs';
import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toCloudEvent } from '../../src/adapters/cloudevents/to-cloud-event.ts';
import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded-postgres.ts';
import { createPostgresEventLog, type PostgresEventLog } from '../../src/adapters/postgres/event-log.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import { createDatabaseAt, type TestDatabase } from '../support/database.ts';
import { expectOrder } from '../support/feed-order.ts';
import { appendInTurn, PUBLIC_EVENTS_OF_A_JOB as EVENTS } from '../support/forwarding.ts';
import { type Connector, startConnect, whyNoConnect } from '../support/kafka-connect.ts';
import { readFeed } from '../support/kafka-reader.ts';
import { type KafkaServer, startKafka, whyNoKafka } from '../support/kafka-server.ts';
import { outboxIsWritten, writingOutbox } from '../support/outbox-writing.ts';
import { appendQuota } from '../support/public-quota-events.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { waitUntil } from '../support/wait-until.ts';

const TYPES = [
  'eventzr.jobs.enqueued.v1',
  'eventzr.jobs.started.v1',
  'eventzr.jobs.completed.v1',
  'eventzr.jobs.quota.exceeded.v1',
  'eventzr.jobs.quota.reset.v1',
];
const skip = whyNoKafka() !== undefined || whyNoConnect() !== undefined;
const parts = new AsyncDisposableStack();
let kafka: KafkaServer;
let database: TestDatabase;
let log: PostgresEventLog;

beforeAll(async () => {
  if (skip) return;
  const { path } = parts.use(await tempFolder());
  const [broker, postgres] = await Promise.all([
    startKafka(),
    startEmbeddedPostgres({ dataDir: `${path}/data`, settings: { wal_level: 'logical', fsync: 'off' } }),
  ]);
  parts.defer(() => postgres.stop());
  kafka = parts.use(broker);
  database = parts.use(await createDatabaseAt(postgres.url));
  log = createPostgresEventLog({ pool: database.pool });
  parts.defer(() => log.close());
}, 300_000);

afterAll(() => parts.disposeAsync());

/** The connector of docs/cdc.md, on the servers of the test. */
function documented(): Connector {
  const document = readFileSync(new URL('../../docs/cdc.md', import.meta.url), 'utf8');
  const [, text = ''] = /```json\n(.*?)```/s.exec(document) ?? [];
  const { name, config } = JSON.parse(text) as Connector;
  const { hostname, port, username, password, pathname } = new URL(database.url);
  const place = {
    'database.hostname': hostname,
    'database.port': port,
    'database.user': username,
    'database.password': password,
    'database.dbname': pathname.slice(1),
  };
  return { name, config: { ...config, ...place } };
}

describe.skipIf(skip)('the table outbox, read by Debezium', { timeout: 300_000 }, () => {
  it('becomes what the service sends itself: rows kept, rows deleted at once, through a crash', async () => {
    const tenants = ['a', 'b'];
    const append = (from: number, to: number) =>
      Promise.all(tenants.map((tenant) => appendInTurn(log, tenant, from, to)));
    const connector = documented();
    const { pool } = database;
    await append(0, 20);
    await appendQuota(log, 'a');
    {
      await using _keeping = writingOutbox({ pool, log });
      await outboxIsWritten({ pool });
    }
    await using connect = await startConnect(kafka.brokers, connector);
    await using reader = await readWhatIsThere();
    await reader.distinct(tenants.length * 20 * EVENTS + 2);
    await using _deleting = writingOutbox({ pool, log }, 0);
    await append(20, 40);
    await outboxIsWritten({ pool });
    await reader.distinct(tenants.length * 40 * EVENTS + 2);
    await connect.kill();
    await append(40, 60);
    await outboxIsWritten({ pool });
    const { rows } = await pool.query('select count(*)::int as count from outbox');
    expect(rows).toEqual([{ count: 0 }]);
    await connect.start();
    const messages = await reader.distinct(tenants.length * 60 * EVENTS + 2);
    expectOrder(messages, tenants, 60);
    const { events } = await log.readLog(0n, 10_000);
    const expected = new Map(
      events.flatMap((stored) => {
        const decoded = decodeEvent(stored);
        const event = decoded && toCloudEvent(decoded);
        return event ? [[event.id, event] as const] : [];
      }),
    );
    expect(new Set(messages.map(({ id }) => id))).toEqual(new Set(expected.keys()));
    for (const { id, topic, key, value, headers, time } of messages) {
      const event = expected.get(id);
      expect({ topic, key, value, headers, time }).toEqual({
        topic: event?.type,
        key: event?.tenantId,
        value: event?.json,
        time: Date.parse(event?.attributes.time ?? ''),
        headers: { id, 'content-type': 'application/cloudevents+json' },
      });
    }
  });
});

/** The topics are the connector's to create: they are there once something is. */
async function readWhatIsThere() {
  const admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  await waitUntil('the topics are there', async () => {
    const topics = await admin.listTopics();
    return TYPES.every((type) => topics.includes(type));
  });
  await admin.disconnect();
  return readFeed(kafka.brokers, '', { types: TYPES });
}
