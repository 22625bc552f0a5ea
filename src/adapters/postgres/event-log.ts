import type pg from 'pg';
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
import { AppendCoalescer, type CoalescerOptions } from '../event-log/append-coalescer.ts';
import { type SubscriptionOptions, subscribeToLog } from '../event-log/log-subscription.ts';
import { AppendWriter, type AppendWriterOptions } from './append-writer.ts';
import { HighWater } from './log-high-water.ts';
import { LogReader } from './log-reader.ts';
import { LogTail } from './log-tail.ts';

export interface PostgresEventLogOptions extends Omit<AppendWriterOptions, 'onWritten'>, CoalescerOptions {
  /** From createPool; the log uses up to maxCalls connections for appends and one for each read under way. */
  readonly pool: pg.Pool;
  /** How long one read may take; default 15 s. */
  readonly readTimeoutMs?: number | undefined;
  /** Time between looks at the log for what other processes wrote; default 25 ms. */
  readonly pollMs?: number | undefined;
}

export interface PostgresEventLog extends EventLog {
  /** Settles the appends under way and refuses new ones. Subscriptions end by their own signals; the pool stays open. */
  close(): Promise<void>;
}

/** The event log in PostgreSQL, in the tables of migrations/0001_event_log.sql. */
export function createPostgresEventLog(options: PostgresEventLogOptions): PostgresEventLog {
  return new LogOverPostgres(options);
}

class LogOverPostgres implements PostgresEventLog {
  readonly #options: PostgresEventLogOptions;
  readonly #coalescer: AppendCoalescer;
  readonly #highWater: HighWater;
  readonly #reader: LogReader;
  readonly #tail: LogTail;

  constructor(options: PostgresEventLogOptions) {
    const { pool, logger, metrics, readTimeoutMs: timeoutMs = 15_000, pollMs = 25 } = options;
    this.#options = options;
    const writer = new AppendWriter({ ...options, onWritten: (stored) => this.#tail.offer(stored) });
    this.#coalescer = new AppendCoalescer((requests) => writer.write(requests), options);
    this.#highWater = new HighWater({ pool, metrics, timeoutMs });
    this.#reader = new LogReader(pool, this.#highWater, timeoutMs);
    this.#tail = new LogTail({ reader: this.#reader, highWater: this.#highWater, logger, pollMs });
  }

  async append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    return this.#coalescer.append(requests);
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
    return this.#highWater.refresh();
  }

  truncate(stream: string, beforeRevision: number): Promise<void> {
    return this.#reader.truncate(stream, beforeRevision);
  }

  close(): Promise<void> {
    return this.#coalescer.close();
  }
}
