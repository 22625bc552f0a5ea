import type { Position, StoredEvent } from '../../commands/ports.ts';
import { type Logger, noLogger } from '../../commands/telemetry.ts';
import type { HighWater } from './log-high-water.ts';
import { affordablePageSize, CAUTIOUS_PAGE_SIZE } from './log-page-size.ts';
import type { LogReader } from './log-reader.ts';
import { OwnEvents } from './own-events.ts';
import { settledPart } from './settled-part.ts';
import { TailBuffer } from './tail-buffer.ts';
import { WakeUp } from './wake-up.ts';

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
    if (!this.#running) void this.#run(this.#position);
    return buffer;
  }

  leave(buffer: TailBuffer): void {
    this.#buffers.delete(buffer);
    if (this.#buffers.size === 0) this.#wakeUp.call();
  }

  /** This process has just committed these events. */
  offer(stored: () => readonly StoredEvent[]): void {
    if (!this.#running) return;
    if (!this.#own.add(stored())) this.#lookAt = 0;
    this.#wakeUp.call();
  }

  async #run(start: Position): Promise<void> {
    this.#running = true;
    this.#lookAt = 0;
    let position = start;
    let backoffMs = this.#options.pollMs;
    while (this.#buffers.size > 0) {
      try {
        position = this.#handOutOwn(position);
        const pauseMs = this.#lookAt - performance.now();
        if (pauseMs > 0) {
          await this.#wakeUp.wait(pauseMs);
        } else {
          position = await this.#look(position);
          backoffMs = this.#options.pollMs;
        }
      } catch (error) {
        this.#logger.warn({ err: error }, 'event_log.tail_failed');
        // A wake-up must not shorten this pause: nobody could append either.
        await new Promise((resolve) => setTimeout(resolve, backoffMs));
        backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS);
      }
    }
    this.#running = false;
    this.#position = undefined;
    this.#gap = undefined;
    this.#own.clear();
  }

  #handOutOwn(after: Position): Position {
    const events = this.#own.takeAfter(after);
    const position = events.at(-1)?.position ?? after;
    if (position > after) this.#handOut(position, events, true);
    // What is left waits for somebody else's events: read those soon.
    if (this.#own.size > 0) this.#lookAt = Math.min(this.#lookAt, performance.now() + GAP_POLL_MS);
    return position;
  }

  /** Reads on from the log and hands out what is settled. */
  async #look(after: Position): Promise<Position> {
    const { reader, highWater, pollMs } = this.#options;
    const pageSize = this.#pageSize;
    const settled = highWater.known;
    const withContent = [...this.#buffers].some((buffer) => buffer.withContent);
    const filter = { withoutContent: !withContent };
    const events = await reader.readBetween(after, LARGEST_POSITION, pageSize, filter);
    const isAll = events.length < pageSize;
    const { upTo, count } = settledPart(after, events, settled, isAll);
    this.#pageSize = affordablePageSize(events, PAGE_SIZE);
    if (upTo > after) this.#handOut(upTo, events.slice(0, count), withContent);
    let pauseMs = isAll ? pollMs : 0;
    if (count < events.length) {
      pauseMs = await this.#meetGap(upTo);
    } else {
      this.#gap = undefined;
      const idle = events.length === 0 && performance.now() - this.#refreshedAt > IDLE_REFRESH_MS;
      if (idle) await this.#refresh();
      if (highWater.known > upTo) pauseMs = 0;
    }
    this.#lookAt = performance.now() + pauseMs;
    return upTo;
  }

  async #meetGap(after: Position): Promise<number> {
    const now = performance.now();
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
