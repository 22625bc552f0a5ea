import type { Position, StoredEvent } from '../../commands/ports.ts';
import { type Logger, noLogger } from '../../commands/telemetry.ts';
import { affordablePageSize, CAUTIOUS_PAGE_SIZE } from '../event-log/log-page-size.ts';
import { TailBuffer } from '../event-log/tail-buffer.ts';
import { WakeUp } from '../event-log/wake-up.ts';
import type { HighWater } from './log-high-water.ts';
import type { LogReader } from './log-reader.ts';
import { OwnEvents } from './own-events.ts';
import { settledPart } from './settled-part.ts';

export interface LogTailOptions {
  readonly reader: LogReader;
  readonly highWater: HighWater;
  readonly logger?: Logger | undefined;
  /** Time between looks at the log for what other processes wrote. */
  readonly pollMs: number;
}

const PAGE_SIZE = 1_000;
const LARGEST_POSITION = 9_223_372_036_854_775_807n;
/** A gap is nearly always an append about to commit: look again soon, and ask for a settled position if it stays. */
const GAP_POLL_MS = 2;
const GAP_PATIENCE_MS = 10;
/** How often an idle tail asks whether positions were drawn and never used. */
const IDLE_REFRESH_MS = 200;
/** A log that nobody writes to is looked at half as often. */
const LOOKS_UNTIL_IDLE = 40;
const LONGEST_BACKOFF_MS = 2_000;

/**
 * The live end of the log, shared by all subscribers of the process. Positions that follow one another without a gap
 * leave no room for latecomers, so most events need no lock at all; only a gap that stays does. What this process
 * wrote itself is handed out without reading it back, when it follows what was handed out before.
 */
export class LogTail {
  readonly #options: LogTailOptions;
  readonly #logger: Logger;
  readonly #buffers = new Set<TailBuffer>();
  readonly #own = new OwnEvents();
  readonly #wakeUp = new WakeUp();
  /** Handed out up to here; undefined while nobody listens. */
  #position: Position | undefined;
  #starting: Promise<Position> | undefined;
  #running = false;
  #lookAt = 0;
  #gap: { readonly after: Position; readonly since: number } | undefined;
  #refreshedAt = 0;
  #emptyLooks = 0;
  #pageSize = CAUTIOUS_PAGE_SIZE;

  constructor(options: LogTailOptions) {
    this.#options = options;
    this.#logger = options.logger ?? noLogger;
  }

  /** A buffer that receives every page after its startsAfter, until it is left or overflows. */
  async join(withContent: boolean): Promise<TailBuffer> {
    if (this.#position === undefined) {
      this.#starting ??= this.#options.highWater.refresh().finally(() => {
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

  /** This process has just committed these events. */
  offer(stored: () => readonly StoredEvent[]): void {
    if (!this.#running) return;
    if (!this.#own.add(stored())) this.#lookWithin(0);
    this.#handOutOwn();
  }

  get #shown(): Position {
    return this.#position ?? this.#options.highWater.known;
  }

  async #run(): Promise<void> {
    this.#running = true;
    this.#lookAt = 0;
    let backoffMs = this.#options.pollMs;
    while (this.#buffers.size > 0) {
      const pauseMs = this.#lookAt - performance.now();
      if (pauseMs > 0) {
        await this.#wakeUp.wait(pauseMs);
        continue;
      }
      try {
        // Set before the look: what is offered meanwhile may want the next one sooner.
        this.#lookAt = Number.POSITIVE_INFINITY;
        const nextMs = await this.#look();
        this.#lookWithin(nextMs);
        this.#handOutOwn();
        backoffMs = this.#options.pollMs;
      } catch (error) {
        this.#logger.warn({ err: error }, 'event_log.tail_failed');
        // A wake-up must not shorten this pause: nobody could append either.
        await new Promise((resolve) => setTimeout(resolve, backoffMs));
        backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS);
        this.#lookWithin(0);
      }
    }
    this.#running = false;
    this.#position = undefined;
    this.#gap = undefined;
    this.#own.clear();
  }

  #lookWithin(ms: number): void {
    this.#lookAt = Math.min(this.#lookAt, performance.now() + ms);
    this.#wakeUp.call();
  }

  #handOutOwn(): void {
    const events = this.#own.takeAfter(this.#shown);
    const last = events.at(-1);
    if (last) this.#handOut(last.position, events, true);
    // What is left waits for somebody else's events: read those soon.
    if (this.#own.size > 0) this.#lookWithin(GAP_POLL_MS);
  }

  /** Reads on from the log and hands out what is settled; answers how long the next look can wait. */
  async #look(): Promise<number> {
    const { reader, highWater, pollMs } = this.#options;
    const pageSize = this.#pageSize;
    const settled = highWater.known;
    const withContent = [...this.#buffers].some((buffer) => buffer.withContent);
    const filter = { withoutContent: !withContent };
    const page = await reader.readBetween(this.#shown, LARGEST_POSITION, pageSize, filter);
    this.#pageSize = affordablePageSize(page, PAGE_SIZE);
    // Own events may have been handed out meanwhile.
    const events = page.filter(({ position }) => position > this.#shown);
    const isAll = page.length < pageSize;
    const { upTo, count } = settledPart(this.#shown, events, settled, isAll);
    if (upTo > this.#shown) this.#handOut(upTo, events.slice(0, count), withContent);
    if (count < events.length) return this.#meetGap();
    this.#gap = undefined;
    if (!isAll) return 0;
    const idle = page.length === 0 && performance.now() - this.#refreshedAt > IDLE_REFRESH_MS;
    if (idle) await this.#refresh();
    if (highWater.known > this.#shown) return 0;
    this.#emptyLooks = page.length === 0 ? this.#emptyLooks + 1 : 0;
    return this.#emptyLooks > LOOKS_UNTIL_IDLE ? pollMs * 2 : pollMs;
  }

  async #meetGap(): Promise<number> {
    const now = performance.now();
    const after = this.#shown;
    if (this.#gap?.after !== after) this.#gap = { after, since: now };
    if (now - this.#gap.since < GAP_PATIENCE_MS) return GAP_POLL_MS;
    await this.#refresh();
    return this.#options.highWater.known > after ? 0 : GAP_PATIENCE_MS;
  }

  async #refresh(): Promise<void> {
    await this.#options.highWater.refresh();
    this.#refreshedAt = performance.now();
  }

  #handOut(position: Position, events: readonly StoredEvent[], withContent: boolean): void {
    this.#position = position;
    this.#options.highWater.raise(position);
    for (const buffer of this.#buffers) {
      buffer.push({ position, events, withContent });
      if (buffer.overflowed) this.#buffers.delete(buffer);
    }
  }
}
