/** A broker, a log, and the forwarder between them; shared by the measurements of this folder. */
import { randomBytes } from 'node:crypto';
import type { Message, Producer } from 'kafkajs';
import { createFeedProducer, createKafka } from '../../src/adapters/kafka/connect.ts';
import { Forwarder } from '../../src/adapters/kafka/forwarder.ts';
import { ensureTopics } from '../../src/adapters/kafka/topics.ts';
import { createPostgresEventLog } from '../../src/adapters/postgres/event-log.ts';
import { createForwarderStore, type ForwarderStore } from '../../src/adapters/postgres/forwarder-store.ts';
import { systemClock } from '../../src/adapters/system.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import { jobCodec } from '../../src/commands/job-codec.ts';
import { NO_STREAM, type Position } from '../../src/commands/ports.ts';
import { noLogger, noMetrics } from '../../src/commands/telemetry.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { createDatabase } from '../../test/support/database.ts';
import { completed, enqueued, started } from '../../test/support/job-events.ts';
import { startKafka } from '../../test/support/kafka-server.ts';

export const JOBS = Number(process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? 40_000);
export const TENANTS = 50;
export const PARTITIONS = 6;
const PAYLOAD = asJsonText(
  JSON.stringify({ to: 'ada@example.com', template: 'welcome', text: 'x'.repeat(60) }),
);

const given = process.env.KAFKA_BROKERS?.split(',');
/** Absent: the one at KAFKA_BROKERS is not ours to kill. */
export const server = given ? undefined : await startKafka({ forSpeed: true });
export const connection = { brokers: given ?? server?.brokers ?? [], clientId: 'bench' };
export const kafka = createKafka(connection, noLogger);
export const database = await createDatabase();
const { pool } = database;
export const log = createPostgresEventLog({ pool });

export async function append(jobs: number, ids: readonly string[] = []): Promise<Position> {
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
      stream: jobStream(tenantId, ids[n] ?? randomBytes(12).toString('hex')),
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

export const newPrefix = () => `bench-${randomBytes(4).toString('hex')}.`;
export const topicOptions = (prefix: string) => ({
  prefix,
  partitions: PARTITIONS,
  replication: -1,
  retentionMs: 3_600_000,
  create: true,
});

export async function createTopics(prefix: string): Promise<ReadonlyMap<string, number>> {
  const admin = kafka.admin();
  await admin.connect();
  const partitions = await ensureTopics(admin, topicOptions(prefix));
  await admin.disconnect();
  return partitions;
}

let fence = 0n;

/** The forwarder; `moved` is told of every position that the broker has, `acknowledged` of what each request held. */
export function forward(
  prefix: string,
  moved: (position: Position) => void,
  acknowledged?: (values: readonly string[]) => void,
) {
  const stored = createForwarderStore(pool);
  const store: ForwarderStore = {
    ...stored,
    move(move) {
      moved(move.to);
      return stored.move(move);
    },
  };
  const forwarder = new Forwarder({
    createAdmin: () => kafka.admin(),
    createProducer: () => {
      const producer = createFeedProducer(kafka);
      return acknowledged ? telling(producer, acknowledged) : producer;
    },
    kafka: { topics: topicOptions(prefix), contentMode: 'structured' },
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

/** The same producer, telling what the broker has acknowledged. */
function telling(producer: Producer, acknowledged: (values: readonly string[]) => void): Producer {
  const tell = (messages: readonly Message[]) => acknowledged(messages.map(({ value }) => String(value)));
  return {
    ...producer,
    async send(record) {
      const done = await producer.send(record);
      tell(record.messages);
      return done;
    },
    async sendBatch(batch) {
      const done = await producer.sendBatch(batch);
      tell((batch.topicMessages ?? []).flatMap(({ messages }) => messages));
      return done;
    },
  };
}

export async function forgetWhatWasSent(): Promise<void> {
  await pool.query('delete from forwarder_checkpoints');
}

export async function closeAll(): Promise<void> {
  await log.close();
  await database[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
}
