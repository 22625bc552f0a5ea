import { MANY_JOBS } from '../../commands/active-tenants.ts';
import type { AppendRequest } from '../../commands/ports.ts';

export interface WaitingAppend {
  readonly request: AppendRequest;
  readonly bytes: number;
}

export interface Room {
  readonly events: number;
  readonly bytes: number;
}

/** Which tenants begin streams these seconds. */
export interface TenantActivity {
  /** So many at once. */
  enqueued(tenantId: string, count: number): void;
  /** Whether others than this one begin a few. */
  hasOthers(tenantId: string): boolean;
}

/** Appends that go out together. */
export interface Call<Item> {
  readonly items: readonly Item[];
  /** Lines that wait for its end, and rest after it. */
  readonly holdsUp: readonly string[];
}

/** Of a line that begins streams, in one call, while other tenants begin a few. */
const MOST_WHEN_SHARED = 100;
/** After such a call the line rests so many times as long as it took: it has a third of the time. */
const REST = 2;
const LONGEST_REST_MS = 250;

/**
 * Appends that may go out, two lines for each tenant: what begins streams, and what goes on with them. Lines take turns,
 * append by append, so that nobody's few are behind thousands of somebody else's, and no job that runs is behind those
 * that come. The order of a line stays.
 *
 * Who begins many streams while other tenants begin a few does it in small calls with rests in between: what follows from
 * an append takes longer than the append, and all of it takes the same database.
 */
export class AppendLines<Item extends WaitingAppend> {
  readonly #activity: TenantActivity | undefined;
  /** Those that are not empty, in the order of their turns. */
  readonly #lines = new Map<string, Item[]>();
  /** Until when a line rests. */
  readonly #heldUp = new Map<string, number>();
  #events = 0;
  #bytes = 0;

  constructor(activity?: TenantActivity) {
    this.#activity = activity;
  }

  /** Whether what waits fills so much room. */
  fills({ events, bytes }: Room): boolean {
    return this.#events >= events || this.#bytes >= bytes;
  }

  add(item: Item): void {
    const name = lineOf(item.request);
    const line = this.#lines.get(name);
    if (line) line.push(item);
    else this.#lines.set(name, [item]);
    this.#count(item, 1);
  }

  /** Milliseconds until something may go out; undefined when nothing waits, or for calls under way only. */
  readyInMs(now: number): number | undefined {
    let soonest = Number.POSITIVE_INFINITY;
    for (const name of this.#lines.keys()) {
      const until = this.#heldUp.get(name) ?? now;
      if (until <= now) return 0;
      soonest = Math.min(soonest, until - now);
    }
    return soonest === Number.POSITIVE_INFINITY ? undefined : soonest;
  }

  /** As many as fit into the room, one at least if one may go out. `returned` has to be told of the end of the call. */
  take(room: Room, now: number): Call<Item> {
    let { events, bytes } = room;
    const items: Item[] = [];
    const counts = new Map<string, number>();
    // Whoever had a turn goes to the end, where this loop comes by again.
    for (const [name, line] of this.#lines) {
      const count = counts.get(name) ?? 0;
      const item = line[count];
      if (!item || count >= this.#mostOf(name, now)) continue;
      const { length } = item.request.events;
      if (items.length > 0 && (length > events || item.bytes > bytes)) break;
      items.push(item);
      events -= length;
      bytes -= item.bytes;
      counts.set(name, count + 1);
      this.#lines.delete(name);
      this.#lines.set(name, line);
    }
    for (const [name, count] of counts) {
      const line = this.#lines.get(name) ?? [];
      if (line.length > count) line.splice(0, count);
      else this.#lines.delete(name);
    }
    for (const item of items) this.#count(item, -1);
    return { items, holdsUp: this.#holdUp(counts) };
  }

  returned({ holdsUp }: Call<Item>, tookMs: number, now: number): void {
    for (const [name, until] of this.#heldUp) if (until <= now) this.#heldUp.delete(name);
    for (const name of holdsUp) this.#heldUp.set(name, now + Math.min(REST * tookMs, LONGEST_REST_MS));
  }

  #holdUp(counts: ReadonlyMap<string, number>): readonly string[] {
    for (const [name, count] of counts) if (begins(name)) this.#activity?.enqueued(tenantOf(name), count);
    const many = [...counts.keys()].filter((name) => (counts.get(name) ?? 0) >= MANY_JOBS);
    const holdsUp = many.filter((name) => this.#givesWay(name));
    for (const name of holdsUp) this.#heldUp.set(name, Number.POSITIVE_INFINITY);
    return holdsUp;
  }

  #mostOf(name: string, now: number): number {
    if ((this.#heldUp.get(name) ?? now) > now) return 0;
    return this.#givesWay(name) ? MOST_WHEN_SHARED : Number.POSITIVE_INFINITY;
  }

  #givesWay(name: string): boolean {
    return begins(name) && this.#activity?.hasOthers(tenantOf(name)) === true;
  }

  #count({ request, bytes }: Item, sign: 1 | -1): void {
    this.#events += sign * request.events.length;
    this.#bytes += sign * bytes;
  }
}

/** `+{tenant}` or `{tenant}`, of streams named `{category}-{tenant}` or `{category}-{tenant}.{id}`. */
function lineOf({ stream, expectedRevision }: AppendRequest): string {
  const dot = stream.indexOf('.');
  const tenant = stream.slice(stream.indexOf('-') + 1, dot < 0 ? undefined : dot);
  return expectedRevision < 0 ? `+${tenant}` : tenant;
}

const begins = (line: string): boolean => line.startsWith('+');

const tenantOf = (line: string): string => (begins(line) ? line.slice(1) : line);
