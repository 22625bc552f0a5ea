import kafkajs, { type Admin, type Kafka } from 'kafkajs';
import type { Subscription } from '../../commands/inbound/subscription.ts';
import type { Metrics } from '../../commands/telemetry.ts';
import { consumerGroups, type GroupNaming } from './consumer-groups.ts';
import { withAdmin } from './dead-letter-topics.ts';
import { KafkaUnavailableError } from './kafka-unavailable-error.ts';

export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  /** The next offset to be read; -1 when nothing was read yet. */
  readonly offset: string;
  /** The offset that the next message will get. */
  readonly end: string;
  readonly lag: number;
}

export interface ConsumerGroup {
  readonly groupId: string;
  readonly topics: readonly string[];
  /** How the group is, as the broker says: Stable, Empty, PreparingRebalance … */
  readonly status: string;
  readonly members: number;
  readonly lag: number;
  /** By the lag: over 1,000 warns, over 10,000 is critical. */
  readonly state: 'ok' | 'warning' | 'critical';
  readonly partitions: readonly PartitionLag[];
}

export interface ConsumerLagOptions {
  readonly kafka: Kafka;
  readonly subscriptions: { current(): Promise<readonly Subscription[]> };
  readonly naming: GroupNaming;
  readonly metrics: Metrics;
}

const WARNING = 1_000;
const CRITICAL = 10_000;

/** How far the groups of the inbox are behind; the same whichever process is asked. */
export class ConsumerLag {
  readonly #options: ConsumerLagOptions;

  constructor(options: ConsumerLagOptions) {
    this.#options = options;
  }

  /** Throws KafkaUnavailableError. */
  async list(): Promise<readonly ConsumerGroup[]> {
    const known = await this.#options.subscriptions.current();
    if (known.length === 0) return [];
    try {
      return await this.#groups(known);
    } catch (error) {
      throw error instanceof kafkajs.KafkaJSError ? new KafkaUnavailableError(error) : error;
    }
  }

  async report(): Promise<void> {
    const found = await this.list();
    this.#options.metrics.gauges(
      'inbox_lag',
      found.flatMap(({ groupId: group, partitions }) =>
        partitions.map(
          ({ topic, partition, lag }) => [lag, { group, topic, partition: String(partition) }] as const,
        ),
      ),
    );
  }

  #groups(known: readonly Subscription[]): Promise<readonly ConsumerGroup[]> {
    const { kafka, naming } = this.#options;
    return withAdmin(kafka, async (admin) => {
      const groups = [...consumerGroups(await admin.listTopics(), known, naming)];
      if (groups.length === 0) return [];
      const described = await admin.describeGroups(groups.map(([groupId]) => groupId));
      return Promise.all(
        groups.map(async ([groupId, topics]) => {
          const partitions = await partitionsOf(admin, groupId, topics);
          const about = described.groups.find((group) => group.groupId === groupId);
          const lag = partitions.reduce((sum, partition) => sum + partition.lag, 0);
          return {
            groupId,
            topics,
            status: about?.state || 'Unknown',
            members: about?.members.length ?? 0,
            lag,
            state: stateOf(lag),
            partitions,
          };
        }),
      );
    });
  }
}

export function stateOf(lag: number): ConsumerGroup['state'] {
  if (lag > CRITICAL) return 'critical';
  return lag > WARNING ? 'warning' : 'ok';
}

async function partitionsOf(
  admin: Admin,
  groupId: string,
  topics: readonly string[],
): Promise<readonly PartitionLag[]> {
  const read = await admin.fetchOffsets({ groupId, topics: [...topics] });
  const found = await Promise.all(
    topics.map(async (topic) => {
      const ends = await admin.fetchTopicOffsets(topic);
      const offsets = read.find((one) => one.topic === topic)?.partitions ?? [];
      return ends.map(({ partition, high, low }) => {
        const offset = offsets.find((one) => one.partition === partition)?.offset ?? '-1';
        // Messages that have been deleted are not waiting any more.
        const from = Math.max(Number(offset), Number(low));
        return { topic, partition, offset, end: high, lag: Math.max(0, Number(high) - from) };
      });
    }),
  );
  return found.flat().sort((one, other) => one.partition - other.partition);
}
