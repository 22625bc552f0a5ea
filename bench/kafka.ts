/**
 * What the feed to Kafka reaches: `node bench/kafka.ts [jobs] [catching-up] [live] [recovery]` with DATABASE_URL. Catching up is measured in turns with
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

const JOBS = Number(process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? 40_000);
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

interface Rate {
  readonly perSecond: number;
  /** Microseconds of this process for each event. */
  readonly cpu: number;
}

function stopwatch(): (events: number) => Rate {
  const [startedAt, used] = [performance.now(), process.cpuUsage()];
  return (events) => {
    const { user, system } = process.cpuUsage(used);
    return { perSecond: events / ((performance.now() - startedAt) / 1_000), cpu: (user + system) / events };
  };
}

/** kafkajs and nothing else: messages ready, one send under way for each partition. */
async function bare(idempotent: boolean): Promise<Rate> {
  const prefix = newPrefix();
  await createTopics(prefix);
  const lanes = batchesByPartition(await allMessages(prefix)).map((batches) => batches.flatMap(inSends));
  const count = lanes.flat().reduce((sum, { messages }) => sum + messages.length, 0);
  const producer = idempotent ? createFeedProducer(kafka) : kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  const stop = stopwatch();
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
  const rate = stop(count);
  await producer.disconnect();
  return rate;
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

async function catchUp(): Promise<Rate> {
  await pool.query('delete from forwarder_checkpoints');
  const prefix = newPrefix();
  await createTopics(prefix);
  const head = await log.head();
  const { promise, resolve } = Promise.withResolvers<Rate>();
  // Connecting does not count, as it does not for kafkajs alone: from the first page on.
  let first: { readonly position: Position; readonly stop: ReturnType<typeof stopwatch> } | undefined;
  const running = forward(prefix, (position) => {
    first ??= { position, stop: stopwatch() };
    // All events are public, and nobody else draws positions here.
    if (position >= head) resolve(first.stop(Number(position - first.position)));
  });
  const rate = await promise;
  await running.stop();
  return rate;
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

async function compareCatchingUp(): Promise<void> {
  for (let done = 0; done < JOBS; done += 500) await append(Math.min(500, JOBS - done));
  console.log(`${JOBS * 3} events, ${TENANTS} tenants, ${PARTITIONS} partitions, node ${process.version}`);
  const rates = { alone: [] as Rate[], forwarder: [] as Rate[], plain: [] as Rate[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    rates.alone.push(await bare(true));
    rates.forwarder.push(await catchUp());
    rates.plain.push(await bare(false));
  }
  const middle = (of: readonly Rate[]): Rate => ({
    perSecond: median(of.map(({ perSecond }) => perSecond)),
    cpu: median(of.map(({ cpu }) => cpu)),
  });
  const line = (name: string, { perSecond, cpu }: Rate) =>
    console.log(`${name.padEnd(34)}${thousands(perSecond)}, ${cpu.toFixed(1)} µs of CPU an event`);
  line('kafkajs alone, idempotent', middle(rates.alone));
  line('kafkajs alone, not idempotent', middle(rates.plain));
  line('forwarder catching up', middle(rates.forwarder));
  const share = middle(rates.forwarder).perSecond / middle(rates.alone).perSecond;
  console.log(`forwarder of idempotent kafkajs   ${Math.round(share * 100)} %`);
}

async function measureLive(): Promise<void> {
  const latencies = await live();
  const [p50, p99, longest] = [0.5, 0.99, 0.99999].map((share) => percentile(latencies, share));
  const what = `live, ${LIVE_PER_SECOND} events/s, commit to acknowledged`;
  console.log(`${what}: p50 ${p50} ms, p99 ${p99} ms, longest ${longest} ms`);
}

async function measureRecovery(): Promise<void> {
  const took = await recovery();
  if (took === undefined) return;
  console.log(`broker killed for 8 s: first event ${Math.round(took)} ms after it answers again`);
}

const parts = { 'catching-up': compareCatchingUp, live: measureLive, recovery: measureRecovery };
const wanted = process.argv.slice(2).filter((word) => word in parts);
for (const [name, measure] of Object.entries(parts)) {
  if (wanted.length === 0 || wanted.includes(name)) await measure();
}
await log.close();
