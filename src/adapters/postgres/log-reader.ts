import type pg from 'pg';
import type { LogFilter, LogPage, Position, ReadStreamOptions, StoredEvent } from '../../commands/ports.ts';
import { Batcher } from './batcher.ts';
import type { HighWater } from './log-high-water.ts';
import { asText, LOG_COLUMNS, LOG_COLUMNS_WITHOUT_CONTENT, type LogRow, toEvents } from './log-row.ts';

/** Positions a filtered page may cover: matches may be rare, and a page must still come back soon. */
const WIDEST_FILTERED_PAGE = 50_000n;
/**
 * Where matches are many they are found close by. Looking further at once would be in vain: while there are no statistics,
 * as in a database's first minute, PostgreSQL reads and sorts all that it may look at before it takes the first ones.
 */
const FIRST_POSITIONS_PER_EVENT = 2;
const FEWEST_FIRST_POSITIONS = 1_000;
const MOST_STREAMS = 1_000;
/** Reads of few streams that come together share a round trip: its cost is nearly all of theirs. */
const FEW_STREAMS = 16;
const READS_AT_ONCE = 3;
const MOST_WAITING_READS = 20_000;
const LARGEST_INT = 2_147_483_647;

/** Reads the events table. Every query is planned anew, for the table as it is now; none may scan it whole. */
export class LogReader {
  readonly #pool: pg.Pool;
  readonly #highWater: HighWater;
  readonly #timeoutMs: number;
  readonly #smallReads = new Batcher<readonly string[], ReadonlyMap<string, readonly StoredEvent[]>>({
    maxBatch: Math.floor(MOST_STREAMS / FEW_STREAMS),
    maxAtOnce: READS_AT_ONCE,
    maxWaiting: MOST_WAITING_READS,
    run: (reads) => this.#readTogether(reads),
  });

  constructor(pool: pg.Pool, highWater: HighWater, timeoutMs: number) {
    this.#pool = pool;
    this.#highWater = highWater;
    this.#timeoutMs = timeoutMs;
  }

  async readStream(stream: string, options: ReadStreamOptions = {}): Promise<readonly StoredEvent[]> {
    const { direction = 'forwards', fromRevision, limit } = options;
    const from = Math.min(fromRevision ?? (direction === 'forwards' ? 0 : LARGEST_INT), LARGEST_INT);
    const text = direction === 'forwards' ? STREAM_FORWARDS : STREAM_BACKWARDS;
    return toEvents(await this.#rows(text, [stream, from, limit ?? null]));
  }

  async readStreams(streams: readonly string[]): Promise<ReadonlyMap<string, readonly StoredEvent[]>> {
    if (streams.length > MOST_STREAMS) throw new RangeError(`at most ${MOST_STREAMS} streams in one read`);
    if (streams.length === 0) return new Map();
    return streams.length <= FEW_STREAMS ? this.#smallReads.add(streams) : this.#readStreams(streams);
  }

  async readLog(after: Position, limit: number, filter: LogFilter = {}): Promise<LogPage> {
    let bound = this.#highWater.known;
    let fresh = false;
    if (after >= bound) {
      bound = await this.#highWater.refresh();
      fresh = true;
      if (after >= bound) return { events: [], position: after, caughtUp: true };
    }
    const end =
      filter.prefixes && bound - after > WIDEST_FILTERED_PAGE ? after + WIDEST_FILTERED_PAGE : bound;
    const events = filter.prefixes
      ? await this.#readWidening(after, end, limit, filter)
      : await this.readBetween(after, end, limit, filter);
    const last = events.at(-1);
    if (events.length >= limit && last) return { events, position: last.position, caughtUp: false };
    if (end < bound) return { events, position: end, caughtUp: false };
    return { events, position: end, caughtUp: fresh || (await this.#highWater.refresh()) <= end };
  }

  /** Events with after < position ≤ upTo. The caller sees to it that upTo is settled. */
  async readBetween(
    after: Position,
    upTo: Position,
    limit: number,
    filter: LogFilter,
  ): Promise<readonly StoredEvent[]> {
    const text = logPage(filter);
    const values = [after.toString(), upTo.toString(), limit, ...(filter.prefixes ? [filter.prefixes] : [])];
    return toEvents(await this.#rows(text, values));
  }

  /** The same in steps, each twice as wide as the one before. */
  async #readWidening(
    after: Position,
    upTo: Position,
    limit: number,
    filter: LogFilter,
  ): Promise<readonly StoredEvent[]> {
    const found: StoredEvent[] = [];
    let width = BigInt(Math.max(limit * FIRST_POSITIONS_PER_EVENT, FEWEST_FIRST_POSITIONS));
    for (let from = after; from < upTo && found.length < limit; width *= 2n) {
      const to = from + width < upTo ? from + width : upTo;
      found.push(...(await this.readBetween(from, to, limit - found.length, filter)));
      from = to;
    }
    return found;
  }

  async truncate(stream: string, beforeRevision: number): Promise<void> {
    await this.#rows(TRUNCATE, [stream, Math.min(beforeRevision, LARGEST_INT)]);
  }

  async #readTogether(
    reads: readonly (readonly string[])[],
  ): Promise<readonly ReadonlyMap<string, readonly StoredEvent[]>[]> {
    const all = await this.#readStreams([...new Set(reads.flat())]);
    return reads.map((streams) => {
      const found = new Map<string, readonly StoredEvent[]>();
      for (const stream of streams) {
        const events = all.get(stream);
        if (events) found.set(stream, events);
      }
      return found;
    });
  }

  async #readStreams(streams: readonly string[]): Promise<ReadonlyMap<string, readonly StoredEvent[]>> {
    const found = new Map<string, StoredEvent[]>();
    for (const event of toEvents(await this.#rows(STREAMS, [streams]))) {
      const events = found.get(event.stream);
      if (events) events.push(event);
      else found.set(event.stream, [event]);
    }
    return found;
  }

  async #rows(text: string, values: unknown[]): Promise<LogRow[]> {
    const query = {
      text,
      values,
      rowMode: 'array' as const,
      types: asText,
      // Read by node-postgres though missing from its types: the caller is freed even when the server never answers.
      query_timeout: this.#timeoutMs,
    };
    const { rows } = await this.#pool.query(query);
    return rows as unknown as LogRow[];
  }
}

const STREAM_FORWARDS = `
select ${LOG_COLUMNS}
from events
where stream = $1
  and revision >= $2
order by revision
limit $3`;

const STREAM_BACKWARDS = `
select ${LOG_COLUMNS}
from events
where stream = $1
  and revision <= $2
order by revision desc
limit $3`;

const STREAMS = `
select ${LOG_COLUMNS}
from events
where stream = any ($1::text[])
order by stream, revision`;

/** The statement that reads a page of the log; exported so that a test can look at its plan. */
export const logPage = ({ prefixes, withoutContent }: LogFilter): string => `
select ${withoutContent ? LOG_COLUMNS_WITHOUT_CONTENT : LOG_COLUMNS}
from events
where position > $1
  and position <= $2${prefixes ? '\n  and stream ^@ any ($4::text[])' : ''}
order by position
limit $3`;

const TRUNCATE = `
delete from events
where stream = $1
  and revision < least(
    $2,
    (
      select max(revision)
      from events
      where stream = $1
    )
  )`;
