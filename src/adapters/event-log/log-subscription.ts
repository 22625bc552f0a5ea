import type { EventLog, LogFilter, LogPage, Position, StoredEvent } from '../../commands/ports.ts';
import { type Logger, noLogger } from '../../commands/telemetry.ts';
import { affordablePageSize, CAUTIOUS_PAGE_SIZE } from './log-page-size.ts';
import type { TailBuffer, TailPage } from './tail-buffer.ts';
import { WakeUp } from './wake-up.ts';

export interface SubscriptionOptions extends LogFilter {
  readonly pageSize?: number;
  readonly signal: AbortSignal;
}

/** The live end of a log, shared by all subscribers of the process. */
export interface LiveTail {
  /** A buffer that receives every page after its startsAfter, until it is left or overflows. */
  join(withContent: boolean): Promise<TailBuffer>;
  leave(buffer: TailBuffer): void;
}

export interface SubscriptionSource {
  readonly reader: Pick<EventLog, 'readLog'>;
  readonly tail: LiveTail;
  readonly logger?: Logger | undefined;
}

const DEFAULT_PAGE_SIZE = 1_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Pages of the backlog, read by the subscriber itself and one ahead, then the shared tail. Whoever falls behind the
 * tail's buffer reads pages again. Database trouble only makes it wait; it ends when the signal aborts.
 */
export async function* subscribeToLog(
  source: SubscriptionSource,
  after: Position,
  options: SubscriptionOptions,
): AsyncGenerator<LogPage> {
  const { signal, pageSize = DEFAULT_PAGE_SIZE } = options;
  let position = after;
  let saidCaughtUp = false;
  while (!signal.aborted) {
    for await (const page of backlog(source, position, pageSize, options)) {
      position = page.position;
      if (page.events.length > 0) yield page;
      if (signal.aborted) return;
    }
    const buffer = await persist(source, signal, () => source.tail.join(!options.withoutContent));
    if (!buffer) return;
    try {
      // The tail may have moved on since the last page.
      while (position < buffer.startsAfter && !signal.aborted) {
        const from = position;
        const page = await persist(source, signal, () => source.reader.readLog(from, pageSize, options));
        if (!page) return;
        position = page.position;
        if (page.events.length > 0) yield page;
      }
      if (!saidCaughtUp) yield { events: [], position, caughtUp: true };
      saidCaughtUp = true;
      for await (const page of live(buffer, position, pageSize, options)) {
        position = page.position;
        yield page;
      }
    } finally {
      source.tail.leave(buffer);
    }
  }
}

/** To the end of the log; the next page is on its way while the reader works on one. */
async function* backlog(
  source: SubscriptionSource,
  after: Position,
  pageSize: number,
  options: SubscriptionOptions,
): AsyncGenerator<LogPage> {
  const read = (from: Position, limit: number) =>
    persist(source, options.signal, () => source.reader.readLog(from, limit, options));
  let next = read(after, Math.min(pageSize, CAUTIOUS_PAGE_SIZE));
  for (;;) {
    const page = await next;
    if (!page) return;
    if (!page.caughtUp) next = read(page.position, affordablePageSize(page.events, pageSize));
    yield page;
    if (page.caughtUp) return;
  }
}

async function* live(
  buffer: TailBuffer,
  after: Position,
  pageSize: number,
  options: SubscriptionOptions,
): AsyncGenerator<LogPage> {
  const { signal } = options;
  let position = after;
  while (!signal.aborted && !buffer.overflowed) {
    const pages = await buffer.take(signal);
    const last = pages.at(-1);
    if (!last || last.position <= position) continue;
    const events = select(pages, position, options);
    for (let start = 0; start + pageSize < events.length; start += pageSize) {
      const part = events.slice(start, start + pageSize);
      position = part.at(-1)?.position ?? position;
      yield { events: part, position, caughtUp: false };
      if (signal.aborted) return;
    }
    const rest = events.length === 0 ? 0 : Math.floor((events.length - 1) / pageSize) * pageSize;
    position = last.position;
    yield { events: events.slice(rest), position, caughtUp: true };
  }
}

function select(pages: readonly TailPage[], after: Position, filter: LogFilter): readonly StoredEvent[] {
  const { prefixes, withoutContent } = filter;
  const selected: StoredEvent[] = [];
  for (const page of pages) {
    for (const event of page.events) {
      if (event.position <= after) continue;
      if (prefixes && !prefixes.some((prefix) => event.stream.startsWith(prefix))) continue;
      // Live and replayed events must look the same, whoever else listens to the tail.
      selected.push(withoutContent && event.content !== undefined ? { ...event, content: undefined } : event);
    }
  }
  return selected;
}

/** Tries until it works; undefined when the signal aborted first. Never rejects. */
async function persist<T>(
  { logger = noLogger }: SubscriptionSource,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T | undefined> {
  let pauseMs = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      return await attempt();
    } catch (error) {
      logger.warn({ err: error }, 'event_log.read_retried');
      await pauseUnless(signal, pauseMs);
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }
  return undefined;
}

async function pauseUnless(signal: AbortSignal, ms: number): Promise<void> {
  const wakeUp = new WakeUp();
  const onAbort = () => wakeUp.call();
  signal.addEventListener('abort', onAbort, { once: true });
  await wakeUp.wait(signal.aborted ? 0 : ms);
  signal.removeEventListener('abort', onAbort);
}
