import { pause } from '../../commands/pause.ts';
import type { Logger, Metrics } from '../../commands/telemetry.ts';
import type { DataSchemas } from '../cloudevents/data-schema.ts';
import { createFeedProducer, createKafka } from './connect.ts';
import type { EventMessage, FeedMapping } from './feed-page.ts';
import type { Refused } from './feed-producer.ts';
import type { KafkaOptions } from './options.ts';
import { createPartitionOf } from './partition-of.ts';
import { ProducerLanes } from './producer-lanes.ts';
import { ensureTopics, TopicsMissingError } from './topics.ts';

/** A way to the topics whose names end in a suffix, beside the forwarder's. */
export interface Publishing {
  /**
   * Creates the topics if need be; waits for Kafka until the signal aborts, and rejects then. Throws TopicsMissingError
   * where they may not be created.
   */
  mapping(signal: AbortSignal): Promise<Omit<FeedMapping, 'decode'>>;
  /** As ProducerLanes'. */
  publish(messages: readonly EventMessage[], signal: AbortSignal): Promise<readonly Refused<EventMessage>[]>;
  close(): Promise<void>;
}

export type PublishingSource = (topicSuffix: string) => Publishing;

export interface PublishingOptions {
  readonly kafka: KafkaOptions;
  readonly dataSchemas?: DataSchemas | undefined;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const LANES = 4;
const LONGEST_PAUSE_MS = 2_000;

/** Connects to nothing before it is used. */
export function createPublishing({
  kafka,
  dataSchemas,
  logger,
  metrics,
}: PublishingOptions): PublishingSource {
  const client = createKafka(kafka.connection, logger);
  return (suffix) => {
    const topics = async (): Promise<ReadonlyMap<string, number>> => {
      const admin = client.admin();
      try {
        await admin.connect();
        return await ensureTopics(admin, kafka.topics, suffix);
      } finally {
        await admin.disconnect().catch(() => undefined);
      }
    };
    const lanes = new ProducerLanes(
      {
        create: () => createFeedProducer(client),
        trouble: () => undefined,
        restoreTopics: async () => {
          await topics();
        },
        logger,
        metrics,
      },
      LANES,
    );
    return {
      async mapping(signal) {
        const partitions = await untilThere(topics, signal, logger);
        const choose = createPartitionOf();
        return {
          prefix: kafka.topics.prefix,
          suffix,
          dataSchemas,
          contentMode: kafka.contentMode,
          partitionOf: (key, topic) => choose(key, partitions.get(topic) ?? 1),
        };
      },
      publish: (messages, signal) => lanes.publish(messages, signal),
      close: () => lanes.close(),
    };
  };
}

async function untilThere<T>(look: () => Promise<T>, signal: AbortSignal, logger: Logger): Promise<T> {
  for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await look();
    } catch (err) {
      // Whoever asked is told, and may ask again: other orders wait behind this one.
      if (err instanceof TopicsMissingError) throw err;
      logger.warn({ err }, 'kafka.topics_failed');
      await pause(pauseMs, signal);
      signal.throwIfAborted();
    }
  }
}
