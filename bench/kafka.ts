/**
 * What the feed to Kafka reaches: `node bench/kafka.ts [jobs]` with DATABASE_URL. Catching up is measured in turns with
 * kafkajs alone, sending the same messages to the same broker: KAFKA_BROKERS, or one of its own.
 */
import { randomBytes } from 'node:crypto';
import { type Batch, batchesByPartition } from '../src/adapters/kafka/batches.ts';
import { createFeedProducer, createKafka } from '../src/adapters/kafka/connect.ts';
import { createForwarder } from '../src/adapters/kafka/create-forwarder.ts';
import { type EventMessage, toFeedPage } from '../src/adapters/kafka/feed-page.ts';
import { createPartitionOf } from '../src/adapters/kafka/partition-of.ts';
import { ensureTopics } from '../src/adapters/kafka/topics.ts';
import { createPostgresEventLog } from '../src/adapters/postgres/event-log.ts';
import { createForwarderStore, type ForwarderStore } from '../src/adapters/postgres/forwarder-store.ts';
import { systemClock } from '../src/adapters/system.ts';
import { decodeEvent } from '../src/commands/decode-event.ts';
import { jobCodec } from '../src/commands/job-codec.ts';
import { NO_STREAM, type Position } from '../src/commands/ports.ts';
import { noLogger, noMetrics } from '../src/commands/telemetry.ts';
import { jobStream } from '../src/domain/job/stream.ts';
import { asJsonText } from '../src/domain/json-text.ts';
import { createDatabase } from '../test/support/database.ts';
import { completed, enqueued, started } from '../test/support/job-events.ts';
import { startKafka } from '../test/support/kafka-server.ts';

const JOBS = Number(process.argv[2] ?? 40_000);
const ROUNDS = 3;
const TENANTS = 50;
const PARTITIONS = 6;
const LIVE_SECONDS = 20;
const LIVE_PER_SECOND = 1_000;
const MESSAGES_A_SEND = 500;
const PAYLOAD = asJsonText(
  JSON.stringify({ to: 'ada@example.com', template: 'welcome', text: 'x'.repeat(60) }),
);

const given = process.env.KAFKA_BROKERS?.split(',');
await using server = given ? undefined : await startKafka({ forSpeed: true });
const connection = { brokers: given ?? server?.brokers ?? [], clientId: 'bench' };
const kafka = createKafka(connection, noLogger);
await using database = await createDatabase();
const { pool } = database;
const log = createPostgresEventLog({ pool });

async function append(jobs: number): Promise<Position> {
  const { promise, resolve } = Promise.withResolvers<Position>();
  const occurredAt = Date.now();
  const requests = Array.from({ length: jobs }, (_, n) => {
    const tenantId = `tenant-${n % TENANTS}`;
    const metadata = {
      tenantId,
      actor: { id: 'bench', auth: 'in_process' as const },
      correlationId: 'c',
      causationId: randomBytes(8).toString('hex'),
      occurredAt,
    };
    return {
      stream: jobStream(tenantId, randomBytes(12).toString('hex')),
      expectedRevision: NO_STREAM,
      events: [enqueued({ payload: PAYLOAD }), started(), completed()].map((event) =>
        jobCodec.encode(event, metadata),
      ),
    };
  });
  const outcomes = await log.append(requests);
  const last = outcomes.at(-1);
  if (last?.kind === 'appended') resolve(last.position);
  return promise;
}

const newPrefix = () => `bench-${randomBytes(4).toString('hex')}.`;
const topicOptions = (prefix: string) => ({
  prefix,
  partitions: PARTITIONS,
  replication: -1,
  retentionMs: 3_600_000,
  create: true,
});

async function createTopics(prefix: string): Promise<ReadonlyMap<string, number>> {
  const admin = kafka.admin();
  await admin.connect();
  const partitions = await ensureTopics(admin, topicOptions(prefix));
  await admin.disconnect();
  return partitions;
}

/** Every public event as the forwarder would send it. */
async function allMessages(prefix: string): Promise<readonly EventMessage[]> {
  const choose = createPartitionOf();
  const partitionOf = (key: string) => choose(key, PARTITIONS);
  const messages: EventMessage[] = [];
  for (let after: Position = 0n; ; ) {
    const page = await log.readLog(after, 5_000);
    const mapping = { decode: decodeEvent, prefix, contentMode: 'structured' as const, partitionOf };
    messages.push(...toFeedPage(page, mapping).messages);
    if (page.caughtUp) return messages;
    after = page.position;
  }
}

/** kafkajs and nothing else: messages ready, one send under way for each partition. */
async function bare(idempotent: boolean): Promise<number> {
  const prefix = newPrefix();
  await createTopics(prefix);
  const lanes = batchesByPartition(await allMessages(prefix)).map((batches) => batches.flatMap(inSends));
  const count = lanes.flat().reduce((sum, { messages }) => sum + messages.length, 0);
  const producer = idempotent ? createFeedProducer(kafka) : kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const startedAt = performance.now();
  await Promise.all(
    lanes.map(async (sends) => {
      for (const { topic, partition, messages } of sends) {
        await producer.send({
          topic,
          acks: -1,
          messages: messages.map(({ key, value, headers }) => ({ key, value, headers, partition })),
        });
      }
    }),
  );
  const perSecond = count / ((performance.now() - startedAt) / 1_000);
  await producer.disconnect();
  return perSecond;
}

function inSends(batch: Batch<EventMessage>): readonly Batch<EventMessage>[] {
  const sends: Batch<EventMessage>[] = [];
  for (let at = 0; at < batch.messages.length; at += MESSAGES_A_SEND) {
    sends.push({ ...batch, messages: batch.messages.slice(at, at + MESSAGES_A_SEND) });
  }
  return sends;
}

let fence = 0n;

/** The forwarder from the beginning of the log; `acknowledged` is told of every position that the broker has. */
function forward(prefix: string, acknowledged: (position: Position) => void) {
  const stored = createForwarderStore(pool);
  const store: ForwarderStore = {
    ...stored,
    move(move) {
      acknowledged(move.to);
      return stored.move(move);
    },
  };
  const forwarder = createForwarder({
    kafka: { connection, topics: topicOptions(prefix), contentMode: 'structured' },
    log,
    decode: decodeEvent,
    store,
    clock: systemClock,
    logger: noLogger,
    metrics: noMetrics,
  });
  const stop = new AbortController();
  fence += 1n;
  const ended = forwarder.run(stop.signal, fence);
  return {
    async stop() {
      stop.abort();
      await ended;
    },
  };
}

async function catchUp(): Promise<number> {
  await pool.query('delete from forwarder_checkpoints');
  const prefix = newPrefix();
  await createTopics(prefix);
  const head = await log.head();
  const { promise, resolve } = Promise.withResolvers<void>();
  const startedAt = performance.now();
  const running = forward(prefix, (position) => {
    if (position >= head) resolve();
  });
  await promise;
  const perSecond = (JOBS * 3) / ((performance.now() - startedAt) / 1_000);
  await running.stop();
  return perSecond;
}

async function live(): Promise<readonly number[]> {
  const prefix = newPrefix();
  await createTopics(prefix);
  const committed: { position: Position; at: number }[] = [];
  const latencies: number[] = [];
  const acknowledged = (position: Position) => {
    const now = performance.now();
    while (committed[0] && committed[0].position <= position)
      latencies.push(now - (committed.shift()?.at ?? now));
  };
  // From where catching up ended: nothing is left of it.
  const running = forward(prefix, acknowledged);
  const everyMs = 9;
  const perTurn = Math.round((LIVE_PER_SECOND * everyMs) / 3_000);
  const startedAt = performance.now();
  for (let turn = 0; turn * everyMs < LIVE_SECONDS * 1_000; turn += 1) {
    const waitMs = startedAt + turn * everyMs - performance.now();
    if (waitMs > 0) await new Promise((resume) => setTimeout(resume, waitMs));
    void append(perTurn).then((position) => committed.push({ position, at: performance.now() }));
  }
  await new Promise((resume) => setTimeout(resume, 1_000));
  await running.stop();
  // The first second finds cold code and new connections.
  return latencies.slice(Math.round(latencies.length / LIVE_SECONDS));
}

/** Milliseconds from the broker taking connections again until it has acknowledged an event. */
async function recovery(): Promise<number | undefined> {
  if (!server) return undefined;
  const prefix = newPrefix();
  let last: Position = 0n;
  const running = forward(prefix, (position) => {
    last = position;
  });
  const isAcknowledged = async (position: Position) => {
    while (last < position) await new Promise((resume) => setTimeout(resume, 5));
  };
  await isAcknowledged(await append(10));
  await server.kill();
  const position = await append(100);
  await new Promise((resume) => setTimeout(resume, 8_000));
  await server.start();
  const answeredAt = performance.now();
  await isAcknowledged(position);
  const took = performance.now() - answeredAt;
  await running.stop();
  return took;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
const percentile = (values: readonly number[], share: number): string =>
  ([...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN).toFixed(1);
const thousands = (value: number): string => `${(value / 1_000).toFixed(1)}k/s`;

for (let done = 0; done < JOBS; done += 500) await append(Math.min(500, JOBS - done));
console.log(
  `${JOBS * 3} events of ${JOBS} jobs, ${TENANTS} tenants, ${PARTITIONS} partitions, node ${process.version}`,
);

const rates = { idempotent: [] as number[], plain: [] as number[], forwarder: [] as number[] };
for (let round = 0; round < ROUNDS; round += 1) {
  rates.idempotent.push(await bare(true));
  rates.forwarder.push(await catchUp());
  rates.plain.push(await bare(false));
}
const alone = median(rates.idempotent);
const caught = median(rates.forwarder);
console.log(`kafkajs alone, idempotent        ${thousands(alone)}`);
console.log(`kafkajs alone, not idempotent    ${thousands(median(rates.plain))}`);
console.log(
  `forwarder catching up            ${thousands(caught)}, ${Math.round((caught / alone) * 100)} % of idempotent`,
);

const latencies = await live();
console.log(
  `live, ${LIVE_PER_SECOND} events/s, commit to acknowledged: p50 ${percentile(latencies, 0.5)} ms, p99 ${percentile(latencies, 0.99)} ms, longest ${percentile(latencies, 0.99999)} ms`,
);
const recovered = await recovery();
if (recovered !== undefined)
  console.log(`broker killed for 8 s: first event ${Math.round(recovered)} ms after it answers again`);
await log.close();
process.exit(0);
