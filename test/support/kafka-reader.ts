import { randomUUID } from 'node:crypto';
import { type IHeaders, Kafka, logLevel } from 'kafkajs';
import { FEED_TOPICS } from '../../src/adapters/kafka/topics.ts';
import { waitUntil } from './wait-until.ts';

export interface ReadMessage {
  /** Without prefix and suffix. */
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly time: number;
  /** The id of its CloudEvent. */
  readonly id: string;
}

export interface KafkaReader extends AsyncDisposable {
  /** Everything read so far; each partition in its order. */
  readonly messages: readonly ReadMessage[];
  /** Resolves once there are so many with different ids; with the first of each id, as a broker may repeat itself. */
  distinct(count: number, timeoutMs?: number): Promise<readonly ReadMessage[]>;
}

/**
 * Reads the feed's topics, or those with a suffix, from their beginning, as any other service would: a plain kafkajs
 * consumer.
 */
export async function readFeed(
  brokers: readonly string[],
  prefix: string,
  { suffix = '', types = FEED_TOPICS }: { readonly suffix?: string; readonly types?: readonly string[] } = {},
): Promise<KafkaReader> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({
    groupId: randomUUID(),
    // Disconnecting waits for the fetch under way.
    maxWaitTimeInMs: 200,
    retry: { initialRetryTime: 100, retries: 20 },
  });
  const messages: ReadMessage[] = [];
  const first = new Map<string, ReadMessage>();
  await consumer.connect();
  await consumer.subscribe({
    topics: types.map((topic) => `${prefix}${topic}${suffix}`),
    fromBeginning: true,
  });
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: 4,
    async eachBatch({ batch }) {
      for (const { key, value, headers = {}, timestamp } of batch.messages) {
        const text = value?.toString() ?? '';
        const texts = textsOf(headers);
        const id = texts.ce_id ?? (JSON.parse(text) as { id: string }).id;
        const read = {
          topic: batch.topic.slice(prefix.length, batch.topic.length - suffix.length),
          partition: batch.partition,
          key: key?.toString() ?? '',
          value: text,
          headers: texts,
          time: Number(timestamp),
          id,
        };
        if (!first.has(id)) first.set(id, read);
        messages.push(read);
      }
    },
  });
  return {
    messages,
    async distinct(count, timeoutMs = 180_000) {
      await waitUntil(`${count} different messages are read`, () => first.size >= count, { timeoutMs });
      return [...first.values()];
    },
    [Symbol.asyncDispose]: () => consumer.disconnect(),
  };
}

const textsOf = (headers: IHeaders): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
