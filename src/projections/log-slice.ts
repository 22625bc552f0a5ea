import type { DecodedEvent } from '../commands/decoded-event.ts';
import type { EventLog, LogFilter, LogPage, Position, StoredEvent } from '../commands/ports.ts';
import { type Metrics, noMetrics } from '../commands/telemetry.ts';
import type { ProjectionEnvironment } from './environment.ts';

/** An event that can't be understood; who reads its stream can't go past it. */
export interface BrokenEvent {
  readonly stored: StoredEvent;
  readonly error: unknown;
}

/** A page of the log, decoded once for all its readers. */
export interface LogSlice {
  readonly after: Position;
  readonly position: Position;
  readonly events: readonly DecodedEvent[];
  readonly broken: readonly BrokenEvent[];
  readonly caughtUp: boolean;
  /** About as many bytes of memory. */
  readonly weight: number;
}

export interface Reading {
  readonly filter: LogFilter;
  readonly decode: ProjectionEnvironment['decode'];
  /** An event type nobody knows is left out, or breaks the reading: a rebuild must not guess. */
  readonly unknown: 'skip' | 'break';
  readonly metrics?: Metrics | undefined;
}

export class UnknownEventError extends Error {
  readonly code = 'unknown_event';
  constructor({ type, stream, revision }: StoredEvent) {
    super(`${stream}@${revision}: this version does not know the event type ${type}`);
  }
}

export function decodePage(page: LogPage, after: Position, reading: Reading): LogSlice {
  const { decode, unknown, metrics = noMetrics } = reading;
  const events: DecodedEvent[] = [];
  const broken: BrokenEvent[] = [];
  let weight = 0;
  for (const stored of page.events) {
    weight += 512 + stored.data.length + (stored.content?.length ?? 0);
    try {
      const event = decode(stored);
      if (event) events.push(event);
      else if (unknown === 'break') broken.push({ stored, error: new UnknownEventError(stored) });
      else metrics.count('projection_unknown_events_total', 1, { type: stored.type });
    } catch (error) {
      broken.push({ stored, error });
    }
  }
  return { after, position: page.position, events, broken, caughtUp: page.caughtUp, weight };
}

/** Slices from `after` until the log is caught up. The next page is read and decoded while the last one is applied. */
export async function* readSlices(
  log: EventLog,
  after: Position,
  reading: Reading & { readonly pageSize: number; readonly signal: AbortSignal },
): AsyncGenerator<LogSlice, undefined> {
  const read = async (from: Position) =>
    decodePage(await log.readLog(from, reading.pageSize, reading.filter), from, reading);
  let next = read(after);
  while (!reading.signal.aborted) {
    const slice = await next;
    if (!slice.caughtUp) {
      next = read(slice.position);
      // Seen when it is awaited; until then a failure must not count as unhandled.
      next.catch(() => undefined);
    }
    yield slice;
    if (slice.caughtUp) return undefined;
  }
  return undefined;
}

export interface Batch {
  readonly events: readonly DecodedEvent[];
  /** Everything up to here is in the batch or does not concern its reader. */
  readonly position: Position;
  /** The next events are there already. */
  readonly isFull?: boolean;
  /** The event after `position` that can't be read. */
  readonly broken?: BrokenEvent;
}

/** What a reader of some prefixes has to apply next: at most `limit` events, and none beyond a broken one. */
export function takeBatch(
  slices: readonly LogSlice[],
  after: Position,
  limit: number,
  concerns: (stream: string) => boolean,
  eventTypes?: ReadonlySet<string>,
): Batch {
  const events: DecodedEvent[] = [];
  let position = after;
  for (const slice of slices) {
    const broken = slice.broken.find(({ stored }) => stored.position > after && concerns(stored.stream));
    for (const event of slice.events) {
      if (event.position <= after || !concerns(event.stream)) continue;
      if (broken && event.position > broken.stored.position) break;
      if (eventTypes && !eventTypes.has(event.event.type)) continue;
      if (events.length === limit) return { events, position, isFull: true };
      events.push(event);
      position = event.position;
    }
    if (broken) return { events, position, broken };
    if (slice.position > position) position = slice.position;
  }
  return { events, position };
}

export function concernsPrefixes(prefixes: readonly string[]): (stream: string) => boolean {
  return (stream) => prefixes.some((prefix) => stream.startsWith(prefix));
}
