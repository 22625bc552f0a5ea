import { pause } from '../../commands/pause.ts';
import type { EventLog, Ids, LogPage, Position } from '../../commands/ports.ts';
import type { Logger, Metrics } from '../../commands/telemetry.ts';
import type { Actor } from '../../domain/metadata.ts';
import { EventRate } from '../../projections/event-rate.ts';
import { isPassing } from '../../projections/fault.ts';
import { publicStreams } from '../cloudevents/public-streams.ts';
import { type FeedMapping, type FeedPage, toFeedPage, toUndelivered } from './feed-page.ts';
import type { Publishing, PublishingSource } from './publishing.ts';
import type { Republication, RepublicationOrder, RepublicationStore } from './republication.ts';

export interface RepublisherOptions {
  readonly store: RepublicationStore;
  /** Absent: this process has no Kafka, and only takes orders. */
  readonly publishing?: PublishingSource | undefined;
  readonly log: EventLog;
  readonly decode: FeedMapping['decode'];
  /** Why an actor may go on no longer; undefined: it may. */
  readonly keyEnd: (actor: Actor) => Promise<string | undefined>;
  readonly ids: Ids;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

const PAGE_SIZE = 2_000;
const IDLE_MS = 1_000;
const WATCH_MS = 1_000;
/** Processes stamp events by their own clocks: nothing that old comes after this much of what is too new. */
const CLOCKS_APART_MS = 60_000;

/**
 * Sends public events of the log to Kafka once more, with the ids they had, in the order of the log and because somebody
 * asked for it. One order at a time, one page under way; it is gone on with after a crash, which may repeat a page.
 */
export class Republisher {
  readonly #options: RepublisherOptions;
  #wake = Promise.withResolvers<void>();

  constructor(options: RepublisherOptions) {
    this.#options = options;
  }

  /** Accepted when it resolves; whichever process forwards carries it out. */
  async start(by: Actor, order: RepublicationOrder): Promise<Republication> {
    const { store, ids } = this.#options;
    const accepted = await store.create(ids.next(), by, order);
    this.#wake.resolve();
    return accepted;
  }

  /** Carries orders out until the signal aborts. Rejects when the database fails: what is cut short is gone on with later. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, publishing, ids } = this.#options;
    if (!publishing) throw new Error('there is no Kafka to send anything to');
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers();
      const worker = ids.next();
      const taken = await store.take(worker);
      if (taken) await this.#carryOut(taken, worker, publishing, signal);
      else await Promise.race([pause(IDLE_MS, signal), this.#wake.promise]);
    }
  }

  async #carryOut(order: Republication, worker: string, source: PublishingSource, signal: AbortSignal) {
    const { store, logger } = this.#options;
    const ended = new AbortController();
    const stop = AbortSignal.any([signal, ended.signal]);
    // While Kafka does not answer, too, an abort is noticed, and nobody else takes the order up.
    const watched = this.#watch(order, worker, stop, () => ended.abort());
    const publishing = order.dryRun ? undefined : source(order.topicSuffix);
    try {
      const end = await this.#send(order, worker, publishing, stop);
      if (!stop.aborted) await store.finish(order.id, worker, end);
    } catch (error) {
      if (!stop.aborted) {
        if (isPassing(error)) throw error;
        logger.error({ err: error, republicationId: order.id }, 'republication failed');
        await store.finish(order.id, worker, error instanceof Error ? error.message : String(error));
      }
    } finally {
      ended.abort();
      await publishing?.close();
      await watched;
      if (signal.aborted) await store.release(order.id, worker).catch(() => undefined);
    }
  }

  /** Answers why it went no further; undefined: it is through, or the signal aborted. */
  async #send(
    order: Republication,
    worker: string,
    publishing: Publishing | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { store, log } = this.#options;
    const rate = new EventRate();
    let { position, found, refused } = order;
    // A process that takes the order over must not send a page for a key that has ended meanwhile.
    const ended = await this.#endOf(order);
    if (ended !== undefined) return ended;
    const mapping = await this.#mapping(publishing, signal);
    const filter = { prefixes: publicStreams(order.tenantId) };
    while (position < order.to && !signal.aborted) {
      const read = await log.readLog(position, PAGE_SIZE, filter);
      const page = toFeedPage(wanted(read, order), mapping);
      refused += await this.#publish(page, publishing, signal);
      if (signal.aborted) return undefined;
      found += page.messages.length + page.undelivered.length;
      const isOver = read.caughtUp || endsBefore(read, order);
      position = isOver || read.position > order.to ? order.to : read.position;
      const progress = { position, found, refused, eventsPerSecond: rate.add(page.messages.length) };
      if (!(await store.save(order.id, worker, progress))) return undefined;
    }
    return undefined;
  }

  async #endOf({ by, auth }: Republication): Promise<string | undefined> {
    const end = auth === null ? undefined : await this.#options.keyEnd({ id: by, auth });
    return end === undefined ? undefined : `${end}; what is sent stays sent`;
  }

  /** How many of the page's events stay behind. */
  async #publish(page: FeedPage, publishing: Publishing | undefined, signal: AbortSignal): Promise<number> {
    const { logger, metrics } = this.#options;
    const left = [...page.undelivered];
    if (publishing && page.messages.length > 0) {
      const refused = await publishing.publish(page.messages, signal);
      left.push(...refused.map(({ message, error }) => toUndelivered(message.event, error)));
      metrics.count('forwarder_republished_total', page.messages.length - refused.length);
    }
    for (const event of left) {
      logger.error({ ...event, position: `${event.position}` }, 'republication.event_undeliverable');
    }
    return left.length;
  }

  async #mapping(publishing: Publishing | undefined, signal: AbortSignal): Promise<FeedMapping> {
    const { decode } = this.#options;
    if (publishing) return { decode, ...(await publishing.mapping(signal)) };
    return { decode, prefix: '', contentMode: 'structured', partitionOf: () => 0 };
  }

  /** Says when to go no further: the order is somebody else's, or over, or the key that asked for it is. */
  async #watch(order: Republication, worker: string, signal: AbortSignal, gone: () => void): Promise<void> {
    const { store, logger } = this.#options;
    const { id } = order;
    while (!signal.aborted) {
      await pause(WATCH_MS, signal);
      if (signal.aborted) return;
      try {
        const end = await this.#endOf(order);
        if (end !== undefined) await store.finish(id, worker, end);
        if (end !== undefined || !(await store.prolong(id, worker))) gone();
      } catch (err) {
        logger.warn({ err, republicationId: id }, 'republication.lease_not_prolonged');
      }
    }
  }
}

/** What the order is about; streams of other tenants may have names that begin like those of its own. */
function wanted(page: LogPage, { to, fromTime, toTime, tenantId }: RepublicationOrder): LogPage {
  const events = page.events.filter(
    ({ position, recordedAt, stream }) =>
      position <= to &&
      (fromTime === undefined || recordedAt >= fromTime) &&
      (toTime === undefined || recordedAt <= toTime) &&
      (tenantId === undefined || publicStreams(tenantId).some((prefix) => isOf(stream, prefix))),
  );
  return { ...page, events };
}

const isOf = (stream: string, prefix: string): boolean =>
  prefix.endsWith('.') ? stream.startsWith(prefix) : stream === prefix;

const endsBefore = ({ events }: LogPage, { toTime }: RepublicationOrder): boolean =>
  toTime !== undefined && (events[0]?.recordedAt ?? 0) > toTime + CLOCKS_APART_MS;

/** 0…1 of the way. */
export const doneOf = ({
  after,
  to,
  position,
}: {
  after: Position;
  to: Position;
  position: Position;
}): number => (to <= after ? 1 : Number(position - after) / Number(to - after));
