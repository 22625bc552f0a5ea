/**
 * Events on Kafka to durable jobs: `node bench/inbox.ts [events]` with DATABASE_URL; KAFKA_BROKERS, or a broker of its
 * own. One in ten is sent twice. Two rates: until the jobs are staged, which is when they can't be lost any more, and
 * until they are in the log.
 */
import { Kafka, logLevel } from 'kafkajs';
import { createEngine } from '../src/engine.ts';
import { DEFAULT_INBOUND } from '../src/inbound.ts';
import { createDatabase } from '../test/support/database.ts';
import { startKafka } from '../test/support/kafka-server.ts';
import { waitUntil } from '../test/support/wait-until.ts';

const EVENTS = Number(process.argv[2] ?? 60_000);
const TENANTS = 50;
const PARTITIONS = 6;
const TOPIC = 'bench.orders';
const WAIT = { timeoutMs: 300_000, everyMs: 300 };

const given = process.env.KAFKA_BROKERS?.split(',');
await using server = given ? undefined : await startKafka({ forSpeed: true });
const brokers = given ?? [...(server?.brokers ?? [])];
await using database = await createDatabase();
const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });

const admin = kafka.admin();
await admin.connect();
await admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS }], waitForLeaders: false });
await admin.disconnect();
const producer = kafka.producer();
await producer.connect();
let sent = 0;
for (let from = 0; from < EVENTS; from += 500) {
  const messages = Array.from({ length: Math.min(500, EVENTS - from) }, (_, n) => toMessage(from + n));
  const again = messages.filter((_, n) => n % 10 === 0);
  sent += messages.length + again.length;
  await producer.send({ topic: TOPIC, messages: [...messages, ...again] });
}
await producer.disconnect();

await using engine = await createEngine({
  databaseUrl: database.url,
  kafka: {
    connection: { brokers, clientId: 'bench' },
    topics: { prefix: '', partitions: 1, replication: 1, retentionMs: 3_600_000, create: true },
    contentMode: 'structured',
  },
  inbound: { ...DEFAULT_INBOUND, lookMs: 100 },
  roles: new Set(['inbox', 'timers'] as const),
});
const count = async (sql: string): Promise<number> =>
  Number((await database.pool.query<{ count: string }>(sql)).rows[0]?.count);
const processed = () => count('select count(*) from eventzr.processed_events');
const rule = {
  topic: TOPIC,
  invalid: 'dead-letter',
  action: { kind: 'enqueue', type: 'order.fulfil' },
} as const;
await engine.parts.inbound.subscriptions.put({
  name: 'orders',
  tenantId: null,
  rule,
  by: 'bench',
  note: async () => undefined,
});

await waitUntil('reading has begun', async () => (await processed()) > 0, WAIT);
const [startedAt, used] = [performance.now(), process.cpuUsage()];
const head = await processed();
await waitUntil('all are processed', async () => (await processed()) >= EVENTS, WAIT);
const stagedIn = (performance.now() - startedAt) / 1_000;
await waitUntil(
  'all are in the log',
  async () => (await count('select count(*) from eventzr.staged_jobs')) === 0,
  WAIT,
);
const loggedIn = (performance.now() - startedAt) / 1_000;
const { user, system } = process.cpuUsage(used);
const jobs = await count(`select count(*) from eventzr.events where type = 'JobEnqueued'`);
if (jobs !== EVENTS) throw new Error(`${jobs} jobs of ${EVENTS} events`);
const perSecond = (seconds: number): number => Math.round((EVENTS - head) / seconds);
console.log(`${sent} messages, ${EVENTS} events, ${jobs} jobs`);
console.log(`events to durable (staged) jobs   ${perSecond(stagedIn)}/s`);
console.log(`events to jobs in the event log   ${perSecond(loggedIn)}/s`);
console.log(`CPU of this process              ${Math.round((user + system) / (EVENTS - head))} µs an event`);

function toMessage(n: number) {
  const event = {
    event_id: `e-${n}`,
    event_type: 'order.placed',
    event_version: 2,
    tenant_id: `tenant-${n % TENANTS}`,
    occurred_at: '2026-04-16T08:12:44.312Z',
    correlation_id: `c-${n}`,
    producer: 'order-service@v1.8.3',
    data: { order_id: `o-${n}`, customer_id: `c-${n % 997}`, total: n, text: 'x'.repeat(80) },
  };
  return { key: event.tenant_id, value: JSON.stringify(event) };
}
