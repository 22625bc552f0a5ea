import {
  type AppendOutcome,
  type AppendRequest,
  type Clock,
  type EventLog,
  LOG_START,
  type LogFilter,
  type LogPage,
  NO_STREAM,
  type Position,
  type ReadStreamOptions,
  type StoredEvent,
} from '../../commands/ports.ts';

/** The whole log in this process' memory: for tests and experiments. Nothing outlives the object. */
export function createMemoryEventLog(options: { readonly clock?: Clock } = {}): EventLog {
  return new MemoryEventLog(options.clock ?? { now: () => Date.now() });
}

const DEFAULT_PAGE_SIZE = 1_000;

class MemoryEventLog implements EventLog {
  readonly #clock: Clock;
  readonly #streams = new Map<string, StoredEvent[]>();
  /** By position; truncated events are gone from here as well. */
  #all: StoredEvent[] = [];
  #head: Position = LOG_START;
  /** Resolved and replaced at every append. */
  #changed = Promise.withResolvers<void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    if (requests.some(({ events }) => events.length === 0)) {
      throw new TypeError('an append needs at least one event');
    }
    const outcomes = requests.map((request) => this.#appendOne(request));
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
    return outcomes;
  }

  async readStream(stream: string, options: ReadStreamOptions = {}): Promise<readonly StoredEvent[]> {
    const { fromRevision, direction = 'forwards', limit } = options;
    const events = this.#streams.get(stream) ?? [];
    const from = fromRevision ?? (direction === 'forwards' ? 0 : Number.MAX_SAFE_INTEGER);
    const wanted =
      direction === 'forwards'
        ? events.filter(({ revision }) => revision >= from)
        : events.filter(({ revision }) => revision <= from).reverse();
    return wanted.slice(0, limit);
  }

  async readStreams(streams: readonly string[]): Promise<ReadonlyMap<string, readonly StoredEvent[]>> {
    const found = new Map<string, readonly StoredEvent[]>();
    for (const stream of streams) {
      const events = this.#streams.get(stream);
      if (events) found.set(stream, [...events]);
    }
    return found;
  }

  async readLog(after: Position, limit: number, filter: LogFilter = {}): Promise<LogPage> {
    const events: StoredEvent[] = [];
    for (let index = this.#indexAfter(after); index < this.#all.length; index += 1) {
      const event = this.#all[index];
      if (!event || !matches(event, filter)) continue;
      events.push(filter.withoutContent ? withoutContent(event) : event);
      if (events.length === limit) return { events, position: event.position, caughtUp: false };
    }
    return { events, position: this.#head > after ? this.#head : after, caughtUp: true };
  }

  async *subscribe(
    after: Position,
    options: LogFilter & { readonly pageSize?: number; readonly signal: AbortSignal },
  ): AsyncIterable<LogPage> {
    const { signal, pageSize = DEFAULT_PAGE_SIZE } = options;
    const aborted = Promise.withResolvers<void>();
    const onAbort = () => aborted.resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      let position = after;
      let live = false;
      while (!signal.aborted) {
        const changed = this.#changed.promise;
        const page = await this.readLog(position, pageSize, options);
        if (page.events.length > 0 || (live && page.position > position)) yield page;
        position = page.position;
        if (!page.caughtUp) continue;
        if (!live) yield { events: [], position, caughtUp: true };
        live = true;
        if (!signal.aborted) await Promise.race([changed, aborted.promise]);
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async head(): Promise<Position> {
    return this.#head;
  }

  async truncate(stream: string, beforeRevision: number): Promise<void> {
    const events = this.#streams.get(stream) ?? [];
    const last = events.at(-1);
    if (!last) return;
    const kept = events.filter((event) => event.revision >= beforeRevision || event === last);
    const gone = new Set(events.filter((event) => !kept.includes(event)));
    this.#streams.set(stream, kept);
    this.#all = this.#all.filter((event) => !gone.has(event));
  }

  #appendOne({ stream, expectedRevision, events }: AppendRequest): AppendOutcome {
    const stored = this.#streams.get(stream) ?? [];
    const actualRevision = stored.at(-1)?.revision ?? NO_STREAM;
    if (actualRevision !== expectedRevision) {
      const repeated = repeatOf(stored, expectedRevision, events);
      if (!repeated) return { kind: 'conflict', actualRevision };
      return { kind: 'appended', revision: repeated.revision, position: repeated.position };
    }
    const recordedAt = this.#clock.now();
    let revision = expectedRevision;
    for (const event of events) {
      revision += 1;
      this.#head += 1n;
      const entry = { ...event, stream, revision, position: this.#head, recordedAt };
      stored.push(entry);
      this.#all.push(entry);
    }
    this.#streams.set(stream, stored);
    return { kind: 'appended', revision, position: this.#head };
  }

  #indexAfter(position: Position): number {
    let low = 0;
    let high = this.#all.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#all[middle]?.position ?? LOG_START) > position) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** The last of the events that this very append wrote earlier; undefined when it did not. */
function repeatOf(
  stored: readonly StoredEvent[],
  expectedRevision: number,
  events: AppendRequest['events'],
): StoredEvent | undefined {
  const first = stored.findIndex(({ revision }) => revision === expectedRevision + 1);
  if (first < 0) return undefined;
  const same = events.every((event, index) => {
    const there = stored[first + index];
    return there?.type === event.type && there.metadata.causationId === event.metadata.causationId;
  });
  return same ? stored[first + events.length - 1] : undefined;
}

function matches({ stream }: StoredEvent, { prefixes }: LogFilter): boolean {
  return prefixes === undefined || prefixes.some((prefix) => stream.startsWith(prefix));
}

function withoutContent({ content: _, ...event }: StoredEvent): StoredEvent {
  return event;
}
