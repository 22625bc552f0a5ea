import { setTimeout as pause } from 'node:timers/promises';
import {
  type AllStreamRecordedEvent,
  BACKWARDS,
  END,
  type EventStoreDBClient,
  FORWARDS,
  START,
  type StreamingRead,
} from '@eventstore/db-client';
import {
  LOG_START,
  type LogFilter,
  type LogPage,
  LogUnavailableError,
  NO_STREAM,
  type Position,
  type ReadStreamOptions,
  type StoredEvent,
} from '../../commands/ports.ts';
import { type Logger, type Metrics, noLogger, noMetrics } from '../../commands/telemetry.ts';
import type { StoredIds } from './append-writer.ts';
import { BoundedCalls } from './bounded-calls.ts';
import type { Connection } from './connection.ts';
import { decodeEvent } from './event-encoding.ts';
import { type LogHead, readLogPage } from './log-page.ts';
import { isPassing, isStreamNotFound, ReadTimeoutError } from './read-errors.ts';

export interface LogReaderOptions {
  readonly connection: Connection;
  readonly streamPrefix: string;
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
  /** How long one read may take, with all its tries. */
  readonly timeoutMs: number;
  readonly maxReads: number;
}

type Slice = {
  readonly fromRevision: bigint | typeof START | typeof END;
  readonly backwards?: boolean;
  readonly maxCount?: number;
};

const LAST: Slice = { fromRevision: END, backwards: true, maxCount: 1 };
const MOST_WAITING_READS = 10_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
const EMPTY: LogHead = { position: LOG_START, stream: '' };
const HEAD_PAGES = [8, 256, 4_096];

/** Reads of streams and of the whole log, by one client, repeated while the server is away. */
export class LogReader {
  readonly #options: LogReaderOptions;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #calls: BoundedCalls;
  /** A lower bound of the head. */
  #head: LogHead = EMPTY;
  /** No event of ours lies between #head and here. */
  #scannedTo: Position = LOG_START;

  constructor(options: LogReaderOptions) {
    this.#options = options;
    this.#logger = options.logger ?? noLogger;
    this.#metrics = options.metrics ?? noMetrics;
    this.#calls = new BoundedCalls(options.maxReads, MOST_WAITING_READS);
  }

  async readStream(stream: string, options: ReadStreamOptions = {}): Promise<readonly StoredEvent[]> {
    const { fromRevision, direction = 'forwards', limit } = options;
    if (limit === 0) return [];
    const backwards = direction === 'backwards';
    const recorded = await this.#readSlice(this.#nameOf(stream), {
      fromRevision: fromRevision === undefined ? (backwards ? END : START) : BigInt(fromRevision),
      backwards,
      ...(limit !== undefined && { maxCount: limit }),
    });
    return recorded.flatMap((event) => decodeEvent(event, this.#options.streamPrefix) ?? []);
  }

  async readStreams(streams: readonly string[]): Promise<ReadonlyMap<string, readonly StoredEvent[]>> {
    const found = await Promise.all(
      streams.map(async (stream) => [stream, await this.readStream(stream)] as const),
    );
    return new Map(found.filter(([, events]) => events.length > 0));
  }

  async readIds(stream: string, fromRevision: number, count: number): Promise<StoredIds> {
    const recorded = await this.#readSlice(this.#nameOf(stream), {
      fromRevision: BigInt(fromRevision),
      maxCount: count,
    });
    return {
      events: recorded.map(({ id, position }) => ({ id, position: position.commit })),
      lastRevision: await this.lastRevision(stream),
    };
  }

  async lastRevision(stream: string): Promise<number> {
    const [last] = await this.#readSlice(this.#nameOf(stream), LAST);
    return last ? Number(last.revision) : NO_STREAM;
  }

  /** The stream's metadata as they lie in the database. */
  async readMetadata(stream: string): Promise<Readonly<Record<string, unknown>>> {
    const name = `$$${this.#options.streamPrefix}${stream}`;
    const [last] = await this.#readSlice(name, LAST);
    return last?.isJson ? (last.data as Record<string, unknown>) : {};
  }

  /** The server looks for what matches, up to the head as it was before. */
  async readLog(after: Position, limit: number, filter: LogFilter = {}): Promise<LogPage> {
    const head = await this.#findHead();
    if (after >= head.position) return { events: [], position: after, caughtUp: true };
    const { streamPrefix } = this.#options;
    return this.#persist((client, timeoutMs) =>
      readLogPage({ client, streamPrefix, after, head, limit: Math.max(limit, 1), filter, timeoutMs }),
    );
  }

  /** Events of others may lie after the last of ours. */
  async head(): Promise<Position> {
    return (await this.#findHead()).position;
  }

  #findHead(): Promise<LogHead> {
    return this.#persist(async (client, timeoutMs) => {
      let from: Position | typeof END = END;
      let end: Position | undefined;
      for (let page = 0; ; page += 1) {
        const maxCount = HEAD_PAGES[Math.min(page, HEAD_PAGES.length - 1)] ?? 1;
        const fromPosition: typeof END | { commit: bigint; prepare: bigint } =
          from === END ? END : { commit: from, prepare: from };
        const events = await collect(
          client.readAll({ direction: BACKWARDS, fromPosition, maxCount, requiresLeader: true }),
          timeoutMs,
        );
        end ??= events[0]?.position.commit;
        const ours = events.find(({ streamId }) => streamId.startsWith(this.#options.streamPrefix));
        const last = events.at(-1);
        if (ours) {
          const stream = ours.streamId.slice(this.#options.streamPrefix.length);
          this.raiseHead({ position: ours.position.commit, stream });
        }
        if (ours || !last || events.length < maxCount || this.#isKnown(last.position.commit)) break;
        from = last.position.commit;
      }
      if (end !== undefined && end > this.#scannedTo) this.#scannedTo = end;
      return this.#head;
    });
  }

  #isKnown(position: Position): boolean {
    return position <= this.#head.position || position <= this.#scannedTo;
  }

  /** Told of events that were written or seen. */
  raiseHead(head: LogHead): void {
    if (head.position > this.#head.position) this.#head = head;
  }

  #readSlice(
    name: string,
    { fromRevision, backwards, maxCount }: Slice,
  ): Promise<readonly AllStreamRecordedEvent[]> {
    return this.#persist(async (client, timeoutMs) => {
      const read = client.readStream(name, {
        fromRevision,
        direction: backwards ? BACKWARDS : FORWARDS,
        requiresLeader: true,
        ...(maxCount !== undefined && { maxCount }),
      });
      try {
        return await collect(read, timeoutMs);
      } catch (error) {
        if (isStreamNotFound(error)) return [];
        throw error;
      }
    });
  }

  #nameOf(stream: string): string {
    return this.#options.streamPrefix + stream;
  }

  /** Within bounds, and again while the server is away. */
  #persist<T>(attempt: (client: EventStoreDBClient, timeoutMs: number) => Promise<T>): Promise<T> {
    return this.#calls.run(async () => {
      const { connection, timeoutMs } = this.#options;
      const deadline = performance.now() + timeoutMs;
      let cause: unknown;
      for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
        const { client } = connection;
        try {
          return await attempt(client, Math.max(deadline - performance.now(), 1));
        } catch (error) {
          const silent = error instanceof ReadTimeoutError;
          if (silent || isPassing(error)) connection.replace(client);
          // The last try has little time; what failed before it says more than that the time was up.
          if (!silent || cause === undefined) cause = error;
          if (silent || !isPassing(error) || performance.now() + pauseMs >= deadline) {
            throw new LogUnavailableError('EventStoreDB could not be read', { cause });
          }
          this.#metrics.count('event_log_read_retries');
          this.#logger.debug({ err: error }, 'event_log.read_retried');
          await pause(pauseMs);
        }
      }
    });
  }
}

/** The client's own deadline does not end a read from a server that hangs. */
async function collect(
  read: StreamingRead<{ readonly event?: unknown }>,
  timeoutMs: number,
): Promise<readonly AllStreamRecordedEvent[]> {
  const timer = setTimeout(() => {
    read.destroy(new ReadTimeoutError(timeoutMs));
    void read.cancel().catch(() => {});
  }, timeoutMs);
  try {
    const events: AllStreamRecordedEvent[] = [];
    for await (const { event } of read) if (event) events.push(event as AllStreamRecordedEvent);
    return events;
  } finally {
    clearTimeout(timer);
    // A listener must outlive the read: the connection may fail once more.
    read.on('error', () => {});
  }
}
