import { setTimeout as pause } from 'node:timers/promises';
import type { EventStoreDBClient } from '@eventstore/db-client';
import { type AppendOutcome, type AppendRequest, LogUnavailableError } from '../../commands/ports.ts';
import { type Logger, type Metrics, noLogger, noMetrics } from '../../commands/telemetry.ts';
import type { WriterAnswer } from '../event-log/append-coalescer.ts';
import { AppendCall, AppendRefusedError, AppendTimeoutError, type EncodedAppend } from './append-call.ts';
import { AppendTooLargeError, LARGEST_APPEND_BYTES } from './append-too-large-error.ts';
import type { Connection } from './connection.ts';
import { type EncodedEvent, encodeEvents, sizeOf } from './event-encoding.ts';
import { isUnavailable } from './read-errors.ts';

export interface AppendWriterOptions {
  readonly connection: Connection;
  readonly streamPrefix: string;
  /** The ids of a stream's events from a revision on, and the stream's last revision. */
  readonly readIds: (stream: string, fromRevision: number, count: number) => Promise<StoredIds>;
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
  /** How long the server may take for one append; default 5 s. */
  readonly callTimeoutMs?: number | undefined;
  /** How long an append may stay unsettled before its callers get LogUnavailableError; default 10 s. */
  readonly settleTimeoutMs?: number | undefined;
}

export interface StoredIds {
  readonly events: readonly { readonly id: string; readonly position: bigint }[];
  readonly lastRevision: number;
}

interface Opened {
  readonly client: EventStoreDBClient;
  readonly call: Promise<AppendCall>;
  /** The call, once it is open. */
  ready: AppendCall | undefined;
}

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

/**
 * Sees an append through to a settled outcome. When the answer is lost, the same events with the same ids and revision
 * are sent again, which the server answers like the first time; where it says conflict, the stream is read: the events
 * may be ours.
 */
export class AppendWriter {
  readonly #options: AppendWriterOptions;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  #opened: Opened | undefined;
  #closed = false;

  constructor(options: AppendWriterOptions) {
    this.#options = options;
    this.#logger = options.logger ?? noLogger;
    this.#metrics = options.metrics ?? noMetrics;
  }

  /** Never rejects. */
  async write(request: AppendRequest): Promise<WriterAnswer> {
    try {
      const events = encodeEvents(request);
      const bytes = sizeOf(events);
      if (bytes > LARGEST_APPEND_BYTES) throw new AppendTooLargeError(bytes);
      const stream = this.#options.streamPrefix + request.stream;
      return await this.#writeUntilSettled(request, { ...request, stream, events });
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** Metadata of a stream: the last one counts, so it can be sent again without harm. */
  async writeMetadata(stream: string, metadata: EncodedEvent): Promise<void> {
    const append = { stream: `$$${stream}`, expectedRevision: 'any', events: [metadata] } as const;
    const deadline = this.#deadline();
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        await this.#send(append, deadline);
        return;
      } catch (error) {
        await this.#beforeRetry(error, deadline, pauseMs);
      }
    }
  }

  /** Ends the call; what is still under way is answered with an error. */
  async close(): Promise<void> {
    this.#closed = true;
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.call.then(
      (call) => call.cancel(),
      () => {},
    );
  }

  async #writeUntilSettled(request: AppendRequest, append: EncodedAppend): Promise<AppendOutcome> {
    const deadline = this.#deadline();
    let maybeWritten = false;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        const outcome = await this.#send(append, deadline);
        if (outcome.kind === 'appended' || !maybeWritten) return outcome;
        return await this.#readOutcome(request, append);
      } catch (error) {
        maybeWritten = true;
        await this.#beforeRetry(error, deadline, pauseMs);
      }
    }
  }

  /** Throws when there is no sense in another try. */
  async #beforeRetry(error: unknown, deadline: number, pauseMs: number): Promise<void> {
    if (error instanceof AppendRefusedError) throw error;
    if (this.#closed || performance.now() + pauseMs >= deadline) {
      throw new LogUnavailableError(
        'EventStoreDB did not answer in time; whether the events were written is not known',
        { cause: error },
      );
    }
    this.#metrics.count('event_log_append_retries');
    this.#logger.debug({ err: error }, 'event_log.append_retried');
    await pause(pauseMs);
  }

  async #send(append: EncodedAppend, deadline: number): Promise<AppendOutcome> {
    const leftMs = Math.max(deadline - performance.now(), 1);
    const timeoutMs = Math.min(this.#options.callTimeoutMs ?? 5_000, leftMs);
    const opened = this.#open();
    try {
      const call = opened.ready ?? (await within(opened.call, timeoutMs));
      return await call.append(append, timeoutMs);
    } catch (error) {
      if (!(error instanceof AppendRefusedError)) this.#drop(opened.client, error);
      throw error;
    }
  }

  #open(): Opened {
    if (this.#opened) return this.#opened;
    const { client } = this.#options.connection;
    const opened: Opened = { client, call: AppendCall.open(client), ready: undefined };
    this.#opened = opened;
    // Whoever waits for it hears of it; this is for the case that nobody does.
    opened.call.then(
      (call) => {
        opened.ready = call;
      },
      () => {},
    );
    return opened;
  }

  /**
   * After trouble the next append opens a call of its own. A client that left an append unanswered may never answer again,
   * and one that cannot connect waits longer each time: they are replaced. The rest, a leader that has moved, a client gets
   * over by itself.
   */
  #drop(client: EventStoreDBClient, error: unknown): void {
    const opened = this.#opened;
    if (opened?.client !== client) return;
    const silent = error instanceof AppendTimeoutError;
    void opened.call.then(
      (call) => {
        if (this.#opened !== opened || !(silent || call.ended)) return;
        this.#opened = undefined;
        call.cancel();
      },
      () => {
        if (this.#opened === opened) this.#opened = undefined;
        this.#options.connection.replace(client);
      },
    );
    if (this.#options.connection.client !== client || !(silent || isUnavailable(error))) return;
    this.#options.connection.replace(client);
    if (!silent) return;
    this.#metrics.count('event_log_connections_replaced');
    this.#logger.warn({ err: error }, 'event_log.connection_replaced');
  }

  async #readOutcome(
    { stream, expectedRevision }: AppendRequest,
    { events }: EncodedAppend,
  ): Promise<AppendOutcome> {
    const stored = await this.#options.readIds(stream, expectedRevision + 1, events.length);
    const last = stored.events[events.length - 1];
    if (last && events.every(({ id }, index) => stored.events[index]?.id === id)) {
      return { kind: 'appended', revision: expectedRevision + events.length, position: last.position };
    }
    return { kind: 'conflict', actualRevision: stored.lastRevision };
  }

  #deadline(): number {
    return performance.now() + (this.#options.settleTimeoutMs ?? 10_000);
  }
}

async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new AppendTimeoutError(timeoutMs)), timeoutMs);
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
