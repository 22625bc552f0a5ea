import type { Admin, Producer } from 'kafkajs';
import { pause } from '../../commands/pause.ts';
import type { Clock, EventLog, LogPage } from '../../commands/ports.ts';
import type { Logger, Metrics } from '../../commands/telemetry.ts';
import { EventRate } from '../../projections/event-rate.ts';
import { isPassing } from '../../projections/fault.ts';
import type { DataSchemas } from '../cloudevents/data-schema.ts';
import { publicStreams } from '../cloudevents/public-streams.ts';
import type { ForwarderStore } from '../postgres/forwarder-store.ts';
import { FeedCheckpoint } from './feed-checkpoint.ts';
import { type FeedMapping, type FeedPage, toFeedPage, toUndelivered } from './feed-page.ts';
import type { KafkaOptions } from './options.ts';
import { createPartitionOf } from './partition-of.ts';
import { ProducerLanes } from './producer-lanes.ts';
import { ensureTopics } from './topics.ts';

export interface ForwarderOptions {
  readonly kafka: Pick<KafkaOptions, 'topics' | 'contentMode'>;
  /** Fresh and not connected. */
  readonly createAdmin: () => Admin;
  readonly createProducer: () => Producer;
  readonly log: EventLog;
  readonly decode: FeedMapping['decode'];
  /** Absent: URNs. */
  readonly dataSchemas?: DataSchemas | undefined;
  readonly store: ForwarderStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const PAGE_SIZE = 4_000;
const LANES = 4;
/** A position that moved without anything to send is written down this often. */
const IDLE_WRITE_MS = 500;
const FAULT_WRITE_MS = 2_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Puts every public event on Kafka, at least once and in order for each key. It reads the log itself: there is no second
 * write to keep in step. The checkpoint follows the broker's acknowledgements, so a crash between the two sends a page
 * again, with the same ids.
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #rate = new EventRate();

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** Forwards until the signal aborts; one process at a time, with a fence higher than all before. */
  async run(signal: AbortSignal, fence: bigint): Promise<void> {
    const { log, store, createProducer: create, logger, metrics } = this.#options;
    const position = await store.claim(fence);
    const trouble = this.#troubleUnder(fence);
    const partitions = await this.#topics(signal, trouble);
    if (!partitions) return;
    const outdated = new AbortController();
    const restoreTopics = async () => {
      const now = await this.#ensureTopics();
      const shrunk = [...partitions].find(([topic, count]) => (now.get(topic) ?? count) < count);
      // What is under way is for partitions that are gone: it would be tried for ever.
      if (shrunk) outdated.abort(new Error(`${shrunk[0]} was made anew with fewer partitions`));
    };
    const current = AbortSignal.any([signal, outdated.signal]);
    const producer = new ProducerLanes({ create, trouble, restoreTopics, logger, metrics }, LANES);
    const mapping = this.#mapping(partitions);
    const ended = new AbortController();
    const stop = AbortSignal.any([signal, ended.signal]);
    const pages = log.subscribe(position, { prefixes: publicStreams(), pageSize: PAGE_SIZE, signal: stop });
    const feed = pages[Symbol.asyncIterator]();
    const checkpoint = new FeedCheckpoint(position, {
      write: (from, { to, messages, undelivered }) =>
        this.#write({ from, to, fence, eventsPerSecond: this.#rate.add(messages), undelivered }, signal),
      // Nothing is sent any more that could not be written down.
      failed: () => ended.abort(),
    });
    const next = async () => mapped(await feed.next(), mapping);
    try {
      let notedAt = performance.now();
      for (let page = await next(); page && !signal.aborted; ) {
        const isDue = page.messages.length > 0 || performance.now() - notedAt >= IDLE_WRITE_MS;
        const sent = this.#send(producer, page, current);
        // While the broker works on this page, the next one is read and put together. Live, it is better taken when this
        // one is done: then all that has come meanwhile is in it.
        const following = page.caughtUp ? undefined : next();
        following?.catch(() => undefined);
        const undelivered = await sent;
        if (isDue || undelivered.length > 0) {
          await checkpoint.note({ to: page.position, messages: page.messages.length, undelivered });
          notedAt = performance.now();
        }
        page = await (following ?? next());
      }
      await checkpoint.settled();
      if (!signal.aborted) throw new Error('the subscription to the log ended');
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      ended.abort();
      await producer.close();
      await feed.return?.();
    }
  }

  async #send(producer: ProducerLanes, page: FeedPage, signal: AbortSignal) {
    const { clock, logger, metrics } = this.#options;
    const undelivered = [...page.undelivered];
    if (page.messages.length > 0) {
      const startedAt = performance.now();
      const refused = await producer.publish(page.messages, signal);
      metrics.observe('forwarder_batch_seconds', (performance.now() - startedAt) / 1_000);
      metrics.count('forwarder_events_total', page.messages.length - refused.length);
      undelivered.push(...refused.map(({ message, error }) => toUndelivered(message.event, error)));
      const ageMs = clock.now() - (page.messages.at(-1)?.event.recordedAt ?? 0);
      metrics.observe('forwarder_delivered_seconds', Math.max(0, ageMs) / 1_000);
    }
    for (const event of undelivered) {
      logger.error({ ...event, position: `${event.position}` }, 'forwarder.event_undeliverable');
    }
    return undelivered;
  }

  /** Database trouble makes the feed wait, not repeat itself. */
  async #write(move: Parameters<ForwarderStore['move']>[0], signal: AbortSignal): Promise<void> {
    const { store, logger, metrics } = this.#options;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        await store.move(move);
        if (move.undelivered.length > 0) {
          metrics.count('forwarder_dead_letters_total', move.undelivered.length);
        }
        return;
      } catch (error) {
        if (signal.aborted || !isPassing(error)) throw error;
        logger.warn({ err: error }, 'forwarder.checkpoint_retried');
        await pause(pauseMs, signal);
      }
    }
  }

  /** Partitions by topic, as soon as the cluster answers; undefined when the signal aborts first. */
  async #topics(
    signal: AbortSignal,
    trouble: (error: unknown) => void,
  ): Promise<ReadonlyMap<string, number> | undefined> {
    const { logger } = this.#options;
    for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        const partitions = await this.#ensureTopics();
        trouble(undefined);
        return partitions;
      } catch (error) {
        logger.warn({ err: error }, 'kafka.topics_failed');
        trouble(error);
        await pause(pauseMs, signal);
      }
    }
    return undefined;
  }

  async #ensureTopics(): Promise<ReadonlyMap<string, number>> {
    const admin = this.#options.createAdmin();
    try {
      await admin.connect();
      return await ensureTopics(admin, this.#options.kafka.topics);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }

  #mapping(partitions: ReadonlyMap<string, number>): FeedMapping {
    const { kafka, decode, dataSchemas } = this.#options;
    const choose = createPartitionOf();
    return {
      decode,
      prefix: kafka.topics.prefix,
      dataSchemas,
      contentMode: kafka.contentMode,
      partitionOf: (key, topic) => choose(key, partitions.get(topic) ?? 1),
    };
  }

  /** Keeps what is wrong where every process can see it. */
  #troubleUnder(fence: bigint): (error: unknown) => void {
    const { store, clock, logger } = this.#options;
    let attempts = 0;
    let writtenAt = Number.NEGATIVE_INFINITY;
    const write = (fault: Parameters<ForwarderStore['recordFault']>[1]) => {
      writtenAt = performance.now();
      store
        .recordFault(fence, fault)
        .catch((err: unknown) => logger.warn({ err }, 'forwarder.fault_not_recorded'));
    };
    return (error) => {
      if (error === undefined) {
        attempts = 0;
        write(undefined);
        return;
      }
      attempts += 1;
      if (attempts > 1 && performance.now() - writtenAt < FAULT_WRITE_MS) return;
      write({ message: error instanceof Error ? error.message : String(error), attempts, at: clock.now() });
    };
  }
}

function mapped(
  { value, done }: IteratorResult<LogPage, unknown>,
  mapping: FeedMapping,
): FeedPage | undefined {
  return done ? undefined : toFeedPage(value, mapping);
}
