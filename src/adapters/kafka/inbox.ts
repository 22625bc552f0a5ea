import type { Kafka } from 'kafkajs';
import type { HandleEvents } from '../../commands/inbound/handle-events.ts';
import type { InboxDeadLetters } from '../../commands/inbound/inbox-dead-letters.ts';
import type { Subscription } from '../../commands/inbound/subscription.ts';
import { pause } from '../../commands/pause.ts';
import type { Logger, Metrics } from '../../commands/telemetry.ts';
import { supervise } from '../supervise.ts';
import { createKafka } from './connect.ts';
import { consumerGroups, type GroupNaming } from './consumer-groups.ts';
import { ConsumerLag } from './consumer-lag.ts';
import { DeadLetterTopics, withAdmin } from './dead-letter-topics.ts';
import { InboxConsumer, type InboxConsumerOptions } from './inbox-consumer.ts';
import type { KafkaOptions } from './options.ts';

export interface InboxSettings {
  readonly naming: GroupNaming;
  /** Where a group begins that has never been here. */
  readonly start: 'earliest' | 'latest';
  /** Pauses before a message that failed is tried again. Default 1, 2 and 4 s. */
  readonly retryMs?: readonly number[] | undefined;
  /** How those pauses are kept; for tests. */
  readonly wait?: InboxConsumerOptions['wait'];
  /** How often topics are looked for. Default 2 s. */
  readonly lookMs?: number | undefined;
}

export interface InboxOptions extends InboxSettings {
  readonly kafka: Pick<KafkaOptions, 'connection' | 'topics'>;
  readonly subscriptions: { current(): Promise<readonly Subscription[]> };
  readonly handle: HandleEvents;
  readonly deadLetters: InboxDeadLetters;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const LOOK_MS = 2_000;
const REPORT_MS = 5_000;

interface Running {
  readonly topics: string;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/**
 * Reads every topic that a subscription is about, one consumer group for each topic, and notices new subscriptions and
 * new topics. Any number of processes share the partitions. Connects to nothing before it runs.
 */
export class Inbox {
  readonly #options: InboxOptions;
  readonly #kafka: Kafka;
  readonly lag: ConsumerLag;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.#kafka = createKafka(options.kafka.connection, options.logger);
    this.lag = new ConsumerLag({ ...options, kafka: this.#kafka });
  }

  /** Runs until the signal aborts; rejects when the cluster can't be reached, to be run again. */
  async run(signal: AbortSignal): Promise<void> {
    const { kafka, deadLetters: store, logger, lookMs = LOOK_MS } = this.#options;
    const running = new Map<string, Running>();
    const { topics } = kafka;
    const deadLetters = new DeadLetterTopics({ kafka: this.#kafka, topics, store, logger });
    try {
      while (!signal.aborted) {
        // What runs goes on whether or not its topics can be listed at the moment.
        await this.#look(running, deadLetters, signal).catch((err: unknown) =>
          logger.warn({ err }, 'inbox.topics_unknown'),
        );
        await pause(lookMs, signal);
      }
    } finally {
      for (const { stop } of running.values()) stop.abort();
      await Promise.all([...running.values()].map(({ ended }) => ended));
      await deadLetters.close();
    }
  }

  /** Reports the lag of every partition until the signal aborts. */
  async report(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.lag
        .report()
        .catch((err: unknown) => this.#options.logger.warn({ err }, 'inbox.lag_unknown'));
      await pause(REPORT_MS, signal);
    }
  }

  async #look(
    running: Map<string, Running>,
    deadLetters: DeadLetterTopics,
    signal: AbortSignal,
  ): Promise<void> {
    const { subscriptions, naming, logger } = this.#options;
    const known = await subscriptions.current();
    if (known.length === 0 && running.size === 0) return;
    const topics = await withAdmin(this.#kafka, (admin) => admin.listTopics());
    const wanted = consumerGroups(topics, known, naming);
    for (const [groupId, { topics: read, stop, ended }] of running) {
      if (wanted.get(groupId)?.join() === read) continue;
      stop.abort();
      await ended;
      running.delete(groupId);
      logger.info({ groupId }, 'inbox.group_left');
    }
    for (const [groupId, own] of wanted) {
      if (running.has(groupId) || signal.aborted) continue;
      running.set(groupId, this.#start(groupId, own, deadLetters));
      logger.info({ groupId, topics: own }, 'inbox.group_joined');
    }
  }

  #start(groupId: string, topics: readonly string[], deadLetters: DeadLetterTopics): Running {
    const stop = new AbortController();
    const { logger, metrics } = this.#options;
    const consumer = new InboxConsumer({
      ...this.#options,
      kafka: this.#kafka,
      groupId,
      topics,
      deadLetters,
    });
    const ended = supervise({
      name: `inbox ${groupId}`,
      task: (signal) => consumer.run(signal),
      signal: stop.signal,
      logger,
      metrics,
      longestPauseMs: 2_000,
    });
    return { topics: topics.join(), stop, ended };
  }
}
