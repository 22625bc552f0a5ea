import { pause } from '../commands/pause.ts';
import type { EventLog, Position } from '../commands/ports.ts';
import type { DecodedTail } from './decoded-tail.ts';
import { type Batch, concernsPrefixes, type LogSlice, readSlices, takeBatch } from './log-slice.ts';
import type { Projection } from './projection.ts';

const CATCH_UP_PAGE = 3_000;
/** Between two looks at a log that has nothing new but is not at the tail yet either. */
const RETRY_MS = 20;

/** Gives a projection its events: from the shared tail, or read on its own while it is behind that. */
export class LaneReader {
  readonly #log: EventLog;
  readonly #tail: DecodedTail;
  readonly #projection: Projection;
  readonly #concerns: (stream: string) => boolean;
  /** Up to here it reads for itself, whatever the tail has. */
  #afreshTo: Position = 0n;
  #slice: LogSlice | undefined;
  #own: { readonly slices: AsyncGenerator<LogSlice, undefined>; readonly stop: AbortController } | undefined;

  constructor(log: EventLog, tail: DecodedTail, projection: Projection) {
    this.#log = log;
    this.#tail = tail;
    this.#projection = projection;
    this.#concerns = concernsPrefixes(projection.prefixes);
  }

  /** Reading will begin soon, after `position`, or anywhere when that is not known. */
  expect(position: Position | undefined): void {
    this.#tail.expect(this, position);
  }

  /** The next batch after `position`; an empty one when waitMs pass or the signal aborts first. */
  async next(position: Position, limit: number, signal: AbortSignal, waitMs?: number): Promise<Batch> {
    while (!signal.aborted) {
      const shared = position < this.#afreshTo ? undefined : this.#tail.read(this, position);
      if (shared) this.#stopOwn();
      const slices = shared ?? (await this.#readOwn(position));
      const batch = takeBatch(slices, position, limit, this.#concerns, this.#projection.eventTypes);
      if (batch.position > position || batch.broken) return shared ? batch : { ...batch, isFull: true };
      this.#afreshTo = 0n;
      if (shared) await this.#tail.changed(signal, waitMs);
      else await pause(RETRY_MS, signal);
      if (waitMs !== undefined && shared) break;
    }
    return { events: [], position };
  }

  /** The event there may be put right in the log; the tail would keep it as it was. */
  readAfresh(position: Position): void {
    this.#afreshTo = position;
  }

  /** Nothing is read for a while. */
  leave(): void {
    this.#tail.leave(this);
    this.#stopOwn();
  }

  async #readOwn(position: Position): Promise<readonly LogSlice[]> {
    if (this.#slice && this.#slice.after <= position && position < this.#slice.position) return [this.#slice];
    this.#own ??= this.#startOwn(position);
    const { value } = await this.#own.slices.next();
    this.#slice = value;
    if (!value) this.#stopOwn();
    return value ? [value] : [];
  }

  #startOwn(position: Position) {
    const stop = new AbortController();
    const { prefixes, needsContent } = this.#projection;
    const filter = { prefixes, withoutContent: !needsContent };
    const reading = { ...this.#tail.reading, filter, pageSize: CATCH_UP_PAGE, signal: stop.signal };
    return { slices: readSlices(this.#log, position, reading), stop };
  }

  #stopOwn(): void {
    this.#own?.stop.abort();
    this.#own = undefined;
    this.#slice = undefined;
  }
}
