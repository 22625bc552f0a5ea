import type { Admin } from 'kafkajs';
import type { TopicOptions } from './options.ts';

/** The feed's topics; each carries the public events of the type it is named after. */
export const FEED_TOPICS = [
  'eventzr.jobs.enqueued.v1',
  'eventzr.jobs.started.v1',
  'eventzr.jobs.completed.v1',
  'eventzr.jobs.failed.v1',
  'eventzr.jobs.retried.v1',
  'eventzr.jobs.cancelled.v1',
  'eventzr.jobs.deadlettered.v1',
  'eventzr.jobs.dlq.replayed.v1',
  'eventzr.jobs.dlq.purged.v1',
  'eventzr.jobs.quota.exceeded.v1',
  'eventzr.jobs.quota.reset.v1',
] as const;

/** Topics are missing and may not be created here. */
export class TopicsMissingError extends Error {
  readonly code = 'topics_missing';
  constructor(topics: readonly string[]) {
    super(`these topics do not exist, and KAFKA_CREATE_TOPICS is false: ${topics.join(', ')}`);
  }
}

/**
 * Creates the feed's topics that do not exist yet, or those of the same names with a suffix; any number of processes may
 * call it at once. Partitions of each topic by its name, as they are in the cluster.
 */
export async function ensureTopics(
  admin: Admin,
  { prefix, partitions, replication, retentionMs, create }: TopicOptions,
  suffix = '',
): Promise<ReadonlyMap<string, number>> {
  const wanted = FEED_TOPICS.map((topic) => `${prefix}${topic}${suffix}`);
  const present = new Set(await admin.listTopics());
  const missing = wanted.filter((topic) => !present.has(topic));
  if (missing.length > 0) {
    if (!create) throw new TopicsMissingError(missing);
    await admin.createTopics({
      waitForLeaders: true,
      topics: missing.map((topic) => ({
        topic,
        numPartitions: partitions,
        replicationFactor: replication,
        configEntries: [{ name: 'retention.ms', value: String(retentionMs) }],
      })),
    });
  }
  const { topics } = await admin.fetchTopicMetadata({ topics: wanted });
  return new Map(topics.map((topic) => [topic.name, topic.partitions.length]));
}
