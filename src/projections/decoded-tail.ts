import type { Position } from '../commands/ports.ts';
import type { ProjectionEnvironment } from './environment.ts';
import { decodePage, type LogSlice, type Reading } from './log-slice.ts';

/** About 32 MB: with that much unread, the tail waits for its slowest reader … */
const MOST_WEIGHT = 32 * 1024 * 1024;
/** … but not longer than this; a reader left behind reads for itself until it has caught up. */
const PATIENCE_MS = 1_000;
/** While all are behind the log anyway: reading it once for each would make them later still. */
const PATIENCE_BEHIND_MS = 5_000;
/** Read slices are kept for readers that are about to come back. */
const KEPT_WEIGHT = 4 * 1024 * 1024;
const PAGE_SIZE = 2_000;

/**
 * The live end of the log, read and decoded once for all projections of a process. Readers pull at their own speed; one
 * that stalls or fails holds up nobody for longer than the tail is patient.
 */
export class DecodedTail {
  readonly #environment: ProjectionEnvironment;
  readonly #reading: Reading;
  readonly #readers = new Map<object, Position>();
  #slices: LogSlice[] = [];
  #weight = 0;
  /** Where the oldest slice starts, and the end of the newest. */
  #after: Position;
  #position: Position;
  readonly #waiting = new Set<() => void>();
  #consumed = Promise.withResolvers<void>();

  constructor(environment: ProjectionEnvironment, after: Position, filter: Reading['filter']) {
    this.#environment = environment;
    this.#reading = { filter, decode: environment.decode, unknown: 'skip', metrics: environment.metrics };
    this.#after = after;
    this.#position = after;
  }

  get reading(): Reading {
    return this.#reading;
  }

  /** A reader that is about to come: what it needs is kept for it, as long as for one that is slow. */
  expect(reader: object, position: Position = this.#after): void {
    if (position >= this.#after) this.#readers.set(reader, position);
  }

  /** Follows the log until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const pages = this.#environment.log.subscribe(this.#position, {
      ...this.#reading.filter,
      pageSize: PAGE_SIZE,
      signal,
    });
    for await (const page of pages) {
      if (page.position > this.#position)
        await this.#push(decodePage(page, this.#position, this.#reading), signal);
      if (signal.aborted) return;
    }
    if (!signal.aborted) throw new Error('the subscription to the log ended');
  }

  /** Slices that end after the reader's position, none when all is read; undefined when they are gone from here. */
  read(reader: object, position: Position): readonly LogSlice[] | undefined {
    if (position < this.#after) {
      this.leave(reader);
      return undefined;
    }
    this.#readers.set(reader, position);
    this.#trim();
    let from = this.#slices.length;
    while ((this.#slices[from - 1]?.position ?? 0n) > position) from -= 1;
    return this.#slices.slice(from);
  }

  /** A reader that will not read for a while must not hold up the others. */
  leave(reader: object): void {
    if (this.#readers.delete(reader)) this.#wakeWriter();
  }

  /** Resolves at the next slice, at the abort, or when waitMs have passed. */
  changed(signal: AbortSignal, waitMs?: number): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
      this.#waiting.delete(wake);
      resolve();
    };
    const timer = waitMs === undefined ? undefined : setTimeout(wake, waitMs);
    signal.addEventListener('abort', wake);
    this.#waiting.add(wake);
    return promise;
  }

  async #push(slice: LogSlice, signal: AbortSignal): Promise<void> {
    this.#slices.push(slice);
    this.#weight += slice.weight;
    this.#position = slice.position;
    this.#wakeReaders();
    this.#trim();
    const giveUpAt = performance.now() + (slice.caughtUp ? PATIENCE_MS : PATIENCE_BEHIND_MS);
    while (this.#weight > MOST_WEIGHT && !signal.aborted) {
      const leftMs = giveUpAt - performance.now();
      if (leftMs <= 0) this.#leaveBehind();
      else await this.#consumedWithin(leftMs);
    }
  }

  /** Drops the oldest slice unread. Who still needs it must not hold up the next one as well. */
  #leaveBehind(): void {
    this.#dropOldest();
    for (const [reader, position] of this.#readers) if (position < this.#after) this.#readers.delete(reader);
  }

  async #consumedWithin(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    await Promise.race([this.#consumed.promise, promise]);
    clearTimeout(timer);
    this.#trim();
  }

  /** Lets go of what every reader has, beyond a little that late-comers may want. */
  #trim(): void {
    let slowest = this.#position;
    for (const position of this.#readers.values()) if (position < slowest) slowest = position;
    for (let [oldest] = this.#slices; oldest && oldest.position <= slowest; [oldest] = this.#slices) {
      if (this.#weight - oldest.weight < KEPT_WEIGHT && this.#slices.length < 1_000) break;
      this.#dropOldest();
    }
    this.#wakeWriter();
  }

  #dropOldest(): void {
    const oldest = this.#slices.shift();
    if (!oldest) return;
    this.#weight -= oldest.weight;
    this.#after = oldest.position;
  }

  #wakeReaders(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #wakeWriter(): void {
    this.#consumed.resolve();
    this.#consumed = Promise.withResolvers();
  }
}
