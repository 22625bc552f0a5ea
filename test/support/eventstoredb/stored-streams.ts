/** An event as the stand-in server keeps it. */
export interface RecordedEvent {
  readonly id: string;
  readonly stream: string;
  readonly revision: number;
  readonly position: bigint;
  readonly type: string;
  readonly contentType: string;
  readonly data: Uint8Array;
  readonly metadata: Uint8Array;
  readonly createdMs: number;
}

export type ProposedEvent = Pick<RecordedEvent, 'id' | 'type' | 'contentType' | 'data' | 'metadata'>;

/** A number is the exact revision of the last event. */
export type Expected = number | 'no_stream' | 'any' | 'stream_exists';

export type Appended =
  | { readonly kind: 'appended'; readonly revision: number; readonly position: bigint }
  | { readonly kind: 'wrong_expected_version'; readonly current: number | 'no_stream' }
  | { readonly kind: 'stream_deleted' }
  | { readonly kind: 'too_large' };

interface StoredStream {
  readonly events: RecordedEvent[];
  truncateBefore: number;
  deleted: 'no' | 'soft' | 'for_ever';
}

export const MOST_APPEND_BYTES = 1024 * 1024;

/** On a real server, too, the first event does not lie at the very start. */
const FIRST_POSITION = 1_000n;
const EVENT_OVERHEAD = 120;

/** What a stand-in server holds. It outlives the server, as a disk would. */
export class StoredStreams {
  readonly all: RecordedEvent[] = [];
  readonly #streams = new Map<string, StoredStream>();
  readonly #listeners = new Set<() => void>();
  #nextPosition = FIRST_POSITION;

  get lastPosition(): bigint {
    return this.all.at(-1)?.position ?? 0n;
  }

  /** Called after every append, until the function that it answers is called. */
  onAppended(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  append(name: string, expected: Expected, events: readonly ProposedEvent[]): Appended {
    const stream = this.#streams.get(name);
    if (stream?.deleted === 'for_ever') return { kind: 'stream_deleted' };
    if (sizeOf(events) > MOST_APPEND_BYTES) return { kind: 'too_large' };
    const last = stream?.events.at(-1)?.revision ?? -1;
    if (!fits(expected, last, stream?.deleted === 'soft')) {
      const repeated = stream && repeatOf(stream.events, expected, events);
      if (repeated) return { kind: 'appended', revision: repeated.revision, position: repeated.position };
      return { kind: 'wrong_expected_version', current: last < 0 ? 'no_stream' : last };
    }
    if (events.length === 0) {
      return { kind: 'appended', revision: Math.max(last, 0), position: this.lastPosition };
    }
    for (const event of events) this.#record(name, event);
    for (const listener of this.#listeners) listener();
    return { kind: 'appended', revision: last + events.length, position: this.lastPosition };
  }

  /** What can be read of a stream, oldest first. */
  read(name: string): readonly RecordedEvent[] | 'not_found' | 'stream_deleted' {
    const stream = this.#streams.get(name);
    if (stream?.deleted === 'for_ever') return 'stream_deleted';
    if (!stream || stream.events.length === 0) return 'not_found';
    const { events, truncateBefore, deleted } = stream;
    const visible =
      truncateBefore === 0 ? events : events.filter(({ revision }) => revision >= truncateBefore);
    return visible.length === 0 && deleted === 'soft' ? 'not_found' : visible;
  }

  /** Hides all events; the stream can begin again. */
  delete(name: string, expected: Expected): Appended {
    return this.#end(name, expected, (stream, last) => {
      stream.deleted = 'soft';
      stream.truncateBefore = last + 1;
    });
  }

  tombstone(name: string, expected: Expected): Appended {
    return this.#end(name, expected, (stream) => {
      stream.deleted = 'for_ever';
    });
  }

  #end(name: string, expected: Expected, change: (stream: StoredStream, last: number) => void): Appended {
    const stream = this.#streams.get(name);
    if (stream?.deleted === 'for_ever') return { kind: 'stream_deleted' };
    const last = stream?.events.at(-1)?.revision ?? -1;
    if (!stream || !fits(expected, last, false)) {
      return { kind: 'wrong_expected_version', current: last < 0 ? 'no_stream' : last };
    }
    change(stream, last);
    return { kind: 'appended', revision: last, position: this.lastPosition };
  }

  #record(name: string, event: ProposedEvent): void {
    const stream = this.#stream(name);
    if (stream.deleted === 'soft') stream.deleted = 'no';
    const recorded = {
      ...event,
      stream: name,
      revision: (stream.events.at(-1)?.revision ?? -1) + 1,
      position: this.#nextPosition,
      createdMs: Date.now(),
    };
    this.#nextPosition += BigInt(event.data.length + event.metadata.length + EVENT_OVERHEAD);
    stream.events.push(recorded);
    this.all.push(recorded);
    if (name.startsWith('$$') && event.type === '$metadata') {
      const { $tb = 0 } = JSON.parse(Buffer.from(event.data).toString()) as { $tb?: number };
      this.#stream(name.slice(2)).truncateBefore = $tb;
    }
  }

  #stream(name: string): StoredStream {
    const found = this.#streams.get(name);
    if (found) return found;
    const made: StoredStream = { events: [], truncateBefore: 0, deleted: 'no' };
    this.#streams.set(name, made);
    return made;
  }
}

function fits(expected: Expected, last: number, deleted: boolean): boolean {
  switch (expected) {
    case 'any':
      return true;
    case 'no_stream':
      return last < 0 || deleted;
    case 'stream_exists':
      return last >= 0 && !deleted;
    default:
      return last === expected;
  }
}

/** The last of the events, if all of them follow the expected revision already. */
function repeatOf(
  stored: readonly RecordedEvent[],
  expected: Expected,
  events: readonly ProposedEvent[],
): RecordedEvent | undefined {
  if (typeof expected !== 'number' && expected !== 'no_stream') return undefined;
  const first = expected === 'no_stream' ? 0 : expected + 1;
  const there = stored.slice(first, first + events.length);
  const same = events.length > 0 && events.every(({ id }, index) => there[index]?.id === id);
  return same ? there.at(-1) : undefined;
}

function sizeOf(events: readonly ProposedEvent[]): number {
  return events.reduce(
    (sum, { type, data, metadata }) => sum + data.length + metadata.length + 2 * type.length,
    0,
  );
}
