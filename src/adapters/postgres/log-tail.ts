import type { Position, StoredEvent } from '../../commands/ports.ts';
import { type Logger, noLogger } from '../../commands/telemetry.ts';
import type { HighWater } from './log-high-water.ts';
import { affordablePageSize, CAUTIOUS_PAGE_SIZE } from './log-page-size.ts';
import type { LogReader } from './log-reader.ts';
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
 * The live end of the log, read once for all subscribers of the process. Positions that follow one another without a
 * gap leave no room for latecomers, so most pages need no lock at all; only a gap that stays does.
 */
export class LogTail {
  readonly #options: LogTailOptions;
  readonly #logger: Logger;
  readonly #buffers = new Set<TailBuffer>();
  readonly #wakeUp = new WakeUp();
  #position: Position | undefined;
  #starting: Promise<Position> | undefined;
  #running = false;
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
    if (!this.#running) void this.#run();
    return buffer;
  }

  leave(buffer: TailBuffer): void {
    this.#buffers.delete(buffer);
    if (this.#buffers.size === 0) this.#wakeUp.call();
  }

  /** Something was appended: look now. */
  wake(): void {
    if (this.#running) this.#wakeUp.call();
  }

  async #run(): Promise<void> {
    this.#running = true;
    let backoffMs = this.#options.pollMs;
    while (this.#buffers.size > 0) {
      try {
        const pauseMs = await this.#step(this.#position ?? this.#options.highWater.known);
        backoffMs = this.#options.pollMs;
        if (pauseMs > 0) await this.#wakeUp.wait(pauseMs);
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
  }

  /** Reads on and hands out what is settled; answers how long to pause before the next look. */
  async #step(after: Position): Promise<number> {
    const { reader, highWater, pollMs } = this.#options;
    const settled = highWater.known;
    const pageSize = this.#pageSize;
    const withContent = [...this.#buffers].some((buffer) => buffer.withContent);
    const events = await reader.readBetween(after, LARGEST_POSITION, pageSize, {
      withoutContent: !withContent,
    });
    const { upTo, count } = settledPart(after, events, settled, events.length < pageSize);
    this.#pageSize = affordablePageSize(events, PAGE_SIZE);
    if (upTo > after) this.#handOut(upTo, events.slice(0, count), withContent);
    highWater.raise(upTo);
    if (count < events.length) return this.#meetGap(upTo);
    this.#gap = undefined;
    if (events.length === pageSize) return 0;
    if (events.length === 0 && performance.now() - this.#refreshedAt > IDLE_REFRESH_MS) await this.#refresh();
    return highWater.known > upTo ? 0 : pollMs;
  }

  async #meetGap(after: Position): Promise<number> {
    const now = performance.now();
    if (this.#gap?.after !== after) this.#gap = { after, since: now };
    if (now - this.#gap.since < GAP_PATIENCE_MS) return GAP_POLL_MS;
    const before = this.#options.highWater.known;
    await this.#refresh();
    return this.#options.highWater.known > before ? 0 : GAP_PATIENCE_MS;
  }

  async #refresh(): Promise<void> {
    await this.#options.highWater.refresh();
    this.#refreshedAt = performance.now();
  }

  #handOut(position: Position, events: readonly StoredEvent[], withContent: boolean): void {
    this.#position = position;
    for (const buffer of this.#buffers) {
      buffer.push({ position, events, withContent });
      if (buffer.overflowed) this.#buffers.delete(buffer);
    }
  }
}

/**
 * How far the events can be handed out: while positions follow each other or lie within what was settled before they
 * were read. With nothing more behind them that is at least all that was settled.
 */
function settledPart(
  after: Position,
  events: readonly StoredEvent[],
  settled: Position,
  isAll: boolean,
): { readonly upTo: Position; readonly count: number } {
  let upTo = after;
  let count = 0;
  for (const { position } of events) {
    if (position > settled && position !== upTo + 1n && upTo < settled) upTo = settled;
    if (position > settled && position !== upTo + 1n) return { upTo, count };
    upTo = position;
    count += 1;
  }
  return { upTo: isAll && settled > upTo ? settled : upTo, count };
}
