import { LOG_START, type Position, type StoredEvent } from '../../commands/ports.ts';
import { type Logger, type Metrics, noLogger, noMetrics } from '../../commands/telemetry.ts';
import type { LiveTail } from '../event-log/log-subscription.ts';
import { TailBuffer } from '../event-log/tail-buffer.ts';
import { WakeUp } from '../event-log/wake-up.ts';
import { subscribeToAll } from './all-subscription.ts';
import type { Connection } from './connection.ts';
import { decodeEvent } from './event-encoding.ts';
import type { LogHead } from './log-page.ts';

export interface LogTailOptions {
  readonly connection: Connection;
  readonly streamPrefix: string;
  /** Where the log ends now. */
  readonly head: () => Promise<Position>;
  /** Told of everything that is handed out. */
  readonly onSeen: (last: LogHead) => void;
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/**
 * The live end of the log: one subscription to everything that the service writes, shared by all subscribers of the
 * process, so that any event moves the position of all of them. It is opened again for ever, after what was seen last.
 * Slow subscribers lose their place in it and read pages instead; the server never waits for them.
 */
export class LogTail implements LiveTail {
  readonly #options: LogTailOptions;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #buffers = new Set<TailBuffer>();
  readonly #wakeUp = new WakeUp();
  /** Handed out up to here; undefined while nobody listens. */
  #position: Position | undefined;
  #starting: Promise<Position> | undefined;
  #running = false;
  #events: StoredEvent[] = [];
  /** Seen up to here, handed out soon. */
  #reached: Position = LOG_START;
  /** Nothing of ours lies between what was handed out last and here. */
  #scannedTo: Position = LOG_START;
  #handOutPlanned = false;

  constructor(options: LogTailOptions) {
    this.#options = options;
    this.#logger = options.logger ?? noLogger;
    this.#metrics = options.metrics ?? noMetrics;
  }

  async join(withContent: boolean): Promise<TailBuffer> {
    if (this.#position === undefined) {
      this.#starting ??= this.#options.head().finally(() => {
        this.#starting = undefined;
      });
      const start = await this.#starting;
      this.#position ??= start;
    }
    const buffer = new TailBuffer(this.#position, withContent);
    this.#buffers.add(buffer);
    if (!this.#running) void this.#run();
    return buffer;
  }

  leave(buffer: TailBuffer): void {
    this.#buffers.delete(buffer);
    if (this.#buffers.size === 0) this.#wakeUp.call();
  }

  async #run(): Promise<void> {
    this.#running = true;
    let pauseMs = FIRST_PAUSE_MS;
    while (this.#buffers.size > 0) {
      const live = await this.#follow();
      if (this.#buffers.size === 0) break;
      if (live) pauseMs = FIRST_PAUSE_MS;
      this.#metrics.count('event_log_resubscriptions');
      await this.#wakeUp.wait(pauseMs);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
    this.#running = false;
    this.#position = undefined;
    this.#scannedTo = LOG_START;
    this.#events = [];
  }

  /** Until nobody listens or the subscription ends; answers whether it worked before. Never rejects. */
  async #follow(): Promise<boolean> {
    const { connection, streamPrefix } = this.#options;
    const { client } = connection;
    let over = false;
    let live = false;
    this.#events = [];
    this.#reached = this.#position ?? LOG_START;
    if (this.#scannedTo < this.#reached) this.#scannedTo = this.#reached;
    const subscription = subscribeToAll({
      client,
      after: this.#scannedTo,
      prefixes: [streamPrefix],
      onEvent: ({ event }) => {
        live = true;
        const stored = event && decodeEvent(event, streamPrefix);
        if (stored) this.#events.push(stored);
        this.#reach(event?.position.commit);
      },
      // Not handed out: a checkpoint beyond our last event could not be told from one of a log that has lost events.
      onCheckpoint: (position) => {
        this.#scannedTo = position;
      },
      onCaughtUp: () => {
        live = true;
      },
      onEnd: (error) => {
        over = true;
        connection.replace(client);
        this.#logger.warn({ err: error }, 'event_log.subscription_ended');
        this.#wakeUp.call();
      },
    });
    while (!over && this.#buffers.size > 0) await this.#wakeUp.wait(LONGEST_PAUSE_MS);
    subscription.stop();
    this.#handOut();
    return live;
  }

  /** Not at this very moment: what arrives together is handed out together. */
  #reach(position: Position | undefined): void {
    if (position === undefined || position <= this.#reached) return;
    this.#reached = position;
    if (this.#handOutPlanned) return;
    this.#handOutPlanned = true;
    setImmediate(() => {
      this.#handOutPlanned = false;
      this.#handOut();
    });
  }

  #handOut(): void {
    const position = this.#reached;
    if (this.#position === undefined || position <= this.#position) return;
    const events = this.#events;
    this.#events = [];
    this.#position = position;
    const last = events.at(-1);
    if (last) this.#options.onSeen(last);
    for (const buffer of this.#buffers) {
      buffer.push({ position, events, withContent: true });
      if (buffer.overflowed) this.#buffers.delete(buffer);
    }
  }
}
