import type {
  AppendOutcome,
  AppendRequest,
  EventLog,
  LogFilter,
  LogPage,
  Position,
  ReadStreamOptions,
  StoredEvent,
} from '../../commands/ports.ts';
import type { Logger, Metrics } from '../../commands/telemetry.ts';
import { AppendCoalescer } from '../event-log/append-coalescer.ts';
import { type SubscriptionOptions, subscribeToLog } from '../event-log/log-subscription.ts';
import { AppendWriter } from './append-writer.ts';
import { Connection } from './connection.ts';
import { LogReader } from './log-reader.ts';
import { LogTail } from './log-tail.ts';
import { truncationOf } from './truncation.ts';

export interface EventStoreDbLogOptions {
  /** `esdb://user:password@host:2113` or `esdb+discover://…`, as the client takes it. */
  readonly connectionString: string;
  /** Begins the name of every stream; nothing else in the database may begin with it. Default `eventzr.`. */
  readonly streamPrefix?: string | undefined;
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
  /** Appends under way at once; default 512. */
  readonly maxAppends?: number | undefined;
  /** Events accepted and not yet settled before new appends are refused; default 20,000. */
  readonly maxPendingEvents?: number | undefined;
  /** Reads under way at once; default 64. */
  readonly maxReads?: number | undefined;
  /** How long the server may take for one append; default 5 s. */
  readonly callTimeoutMs?: number | undefined;
  /** How long an append may stay unsettled before its callers get LogUnavailableError; default 10 s. */
  readonly settleTimeoutMs?: number | undefined;
  /** How long one read may take; default 15 s. */
  readonly readTimeoutMs?: number | undefined;
}

export interface EventStoreDbLog extends EventLog {
  /** Settles the appends under way and refuses new ones. Subscriptions end by their own signals, and should before. */
  close(): Promise<void>;
}

export const STANDARD_STREAM_PREFIX = 'eventzr.';

/** The event log in EventStoreDB 23.10 or later. Throws when the connection string cannot be understood. */
export function createEventStoreDbLog(options: EventStoreDbLogOptions): EventStoreDbLog {
  return new LogOverEventStoreDb(options);
}

class LogOverEventStoreDb implements EventStoreDbLog {
  readonly #options: EventStoreDbLogOptions;
  readonly #connections: readonly Connection[];
  readonly #coalescer: AppendCoalescer;
  readonly #writer: AppendWriter;
  readonly #reader: LogReader;
  readonly #tail: LogTail;

  constructor(options: EventStoreDbLogOptions) {
    const { connectionString, streamPrefix = STANDARD_STREAM_PREFIX, logger, metrics } = options;
    this.#options = options;
    // What breaks one connection must not hold up the others.
    const appends = new Connection(connectionString);
    const reads = new Connection(connectionString);
    const subscriptions = new Connection(connectionString);
    this.#connections = [appends, reads, subscriptions];
    const reader = new LogReader({
      connection: reads,
      streamPrefix,
      logger,
      metrics,
      timeoutMs: options.readTimeoutMs ?? 15_000,
      maxReads: options.maxReads ?? 64,
    });
    this.#reader = reader;
    this.#writer = new AppendWriter({
      ...options,
      connection: appends,
      streamPrefix,
      readIds: (stream, fromRevision, count) => reader.readIds(stream, fromRevision, count),
    });
    this.#coalescer = new AppendCoalescer(
      (requests) => Promise.all(requests.map((request) => this.#writer.write(request))),
      {
        metrics,
        // Every stream is an append of its own here: nothing is won by waiting for company.
        maxCalls: options.maxAppends ?? 512,
        maxBatchEvents: 1,
        lingerMs: 0,
        maxPendingEvents: options.maxPendingEvents,
      },
    );
    this.#tail = new LogTail({
      connection: subscriptions,
      streamPrefix,
      head: () => reader.head(),
      onSeen: (last) => reader.raiseHead(last),
      logger,
      metrics,
    });
  }

  async append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    if (requests.some(({ events }) => events.length === 0)) {
      throw new TypeError('an append needs at least one event');
    }
    const outcomes = await this.#coalescer.append(requests);
    outcomes.forEach((outcome, index) => {
      const stream = requests[index]?.stream;
      if (outcome.kind === 'appended' && stream)
        this.#reader.raiseHead({ position: outcome.position, stream });
    });
    return outcomes;
  }

  readStream(stream: string, options?: ReadStreamOptions): Promise<readonly StoredEvent[]> {
    return this.#reader.readStream(stream, options);
  }

  readStreams(streams: readonly string[]): Promise<ReadonlyMap<string, readonly StoredEvent[]>> {
    return this.#reader.readStreams(streams);
  }

  readLog(after: Position, limit: number, filter?: LogFilter): Promise<LogPage> {
    return this.#reader.readLog(after, limit, filter);
  }

  subscribe(after: Position, options: SubscriptionOptions): AsyncIterable<LogPage> {
    const { logger } = this.#options;
    return subscribeToLog({ reader: this.#reader, tail: this.#tail, logger }, after, options);
  }

  head(): Promise<Position> {
    return this.#reader.head();
  }

  /** What is truncated is gone from the stream at once, and from the whole log when the database is scavenged. */
  async truncate(stream: string, beforeRevision: number): Promise<void> {
    const lastRevision = await this.#reader.lastRevision(stream);
    const metadata = await this.#reader.readMetadata(stream);
    const truncation = truncationOf(metadata, Math.min(beforeRevision, lastRevision));
    const { streamPrefix = STANDARD_STREAM_PREFIX } = this.#options;
    if (truncation) await this.#writer.writeMetadata(streamPrefix + stream, truncation);
  }

  async close(): Promise<void> {
    await this.#coalescer.close();
    await this.#writer.close();
    await Promise.all(this.#connections.map((connection) => connection.close()));
  }
}
