import { type Batch, batchesByPartition } from '../../src/adapters/kafka/batches.ts';
import { createFeedProducer } from '../../src/adapters/kafka/connect.ts';
import { type EventMessage, toFeedPage } from '../../src/adapters/kafka/feed-page.ts';
import { createPartitionOf } from '../../src/adapters/kafka/partition-of.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import type { Position } from '../../src/commands/ports.ts';
import {
  append,
  createTopics,
  forgetWhatWasSent,
  forward,
  JOBS,
  kafka,
  log,
  newPrefix,
  PARTITIONS,
  TENANTS,
} from './feed.ts';
import { median, thousands } from './figures.ts';

const ROUNDS = 3;
const MESSAGES_A_SEND = 500;

/** Catching up in turns with kafkajs alone, which sends the same messages to the same broker. */
export async function compareCatchingUp(): Promise<void> {
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

async function catchUp(): Promise<Rate> {
  await forgetWhatWasSent();
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
