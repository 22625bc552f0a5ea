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
  begins(tenantId: string): void;
  /** Whether others than this one do. */
  hasOthers(tenantId: string): boolean;
}

/** Appends that go out together. */
export interface Call<Item> {
  readonly items: readonly Item[];
  /** Lines that wait for its end, and rest after it. */
  readonly holdsUp: readonly Line<Item>[];
}

interface Line<Item> {
  readonly tenant: string;
  /** Appends that begin streams: nobody works on them yet. */
  readonly begins: boolean;
  readonly waiting: Item[];
  isHeldUp: boolean;
  restsUntil: number;
}

/** Of a line that begins streams, in one call, while other tenants are active; and from how many on it is held up. */
const MOST_WHEN_SHARED = 100;
const MANY = 20;
/** After such a call the line rests so many times as long as it took: it has a third of the time. */
const REST = 2;
const LONGEST_REST_MS = 250;
/** From so many lines on, those that are empty are forgotten. */
const MANY_LINES = 1_000;

/**
 * Appends that may go out, two lines for each tenant: what begins streams, and what goes on with them. Lines take turns,
 * append by append, so that nobody's few are behind thousands of somebody else's, and no job that runs is behind those
 * that come. The order of a line stays.
 *
 * Who begins many streams while other tenants are active does it in small calls with rests in between: what follows from
 * an append takes longer than the append, and all of it takes the same database.
 */
export class AppendLines<Item extends WaitingAppend> {
  readonly #activity: TenantActivity | undefined;
  /** In the order of their turns. */
  readonly #lines = new Map<string, Line<Item>>();
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
    const { tenant, begins } = lineOf(item.request);
    const name = `${tenant} ${begins}`;
    const line = this.#lines.get(name);
    if (begins) this.#activity?.begins(tenant);
    if (line) {
      line.waiting.push(item);
    } else {
      if (this.#lines.size >= MANY_LINES) this.#forgetEmpty();
      this.#lines.set(name, { tenant, begins, waiting: [item], isHeldUp: false, restsUntil: 0 });
    }
    this.#count(item, 1);
  }

  /** Milliseconds until something may go out; undefined when nothing waits, or for calls under way only. */
  readyInMs(now: number): number | undefined {
    let soonest: number | undefined;
    for (const { waiting, isHeldUp, restsUntil } of this.#lines.values()) {
      if (waiting.length === 0 || isHeldUp) continue;
      if (restsUntil <= now) return 0;
      soonest = Math.min(soonest ?? Number.POSITIVE_INFINITY, restsUntil - now);
    }
    return soonest;
  }

  /** As many as fit into the room, one at least if one may go out. `returned` has to be told of the end of the call. */
  take(room: Room, now: number): Call<Item> {
    let { events, bytes } = room;
    const items: Item[] = [];
    const counts = new Map<Line<Item>, number>();
    // Whoever had a turn goes to the end, where this loop comes by again.
    for (const [name, line] of this.#lines) {
      const count = counts.get(line) ?? 0;
      const item = line.waiting[count];
      if (!item || count >= this.#mostOf(line, now)) continue;
      const { length } = item.request.events;
      if (items.length > 0 && (length > events || item.bytes > bytes)) break;
      items.push(item);
      events -= length;
      bytes -= item.bytes;
      counts.set(line, count + 1);
      this.#lines.delete(name);
      this.#lines.set(name, line);
    }
    for (const [line, count] of counts) line.waiting.splice(0, count);
    for (const item of items) this.#count(item, -1);
    const holdsUp = [...counts]
      .filter(([line, count]) => count >= MANY && this.#givesWay(line))
      .map(([line]) => line);
    for (const line of holdsUp) line.isHeldUp = true;
    return { items, holdsUp };
  }

  returned({ holdsUp }: Call<Item>, tookMs: number, now: number): void {
    for (const line of holdsUp) {
      line.isHeldUp = false;
      line.restsUntil = now + Math.min(REST * tookMs, LONGEST_REST_MS);
    }
  }

  #mostOf(line: Line<Item>, now: number): number {
    if (line.isHeldUp || line.restsUntil > now) return 0;
    return this.#givesWay(line) ? MOST_WHEN_SHARED : Number.POSITIVE_INFINITY;
  }

  #givesWay({ begins, tenant }: Line<Item>): boolean {
    return begins && this.#activity?.hasOthers(tenant) === true;
  }

  #count({ request, bytes }: Item, sign: 1 | -1): void {
    this.#events += sign * request.events.length;
    this.#bytes += sign * bytes;
  }

  #forgetEmpty(): void {
    for (const [name, { waiting, isHeldUp }] of this.#lines)
      if (waiting.length === 0 && !isHeldUp) this.#lines.delete(name);
  }
}

/** Streams are named `{category}-{tenant}` or `{category}-{tenant}.{id}`. */
function lineOf({ stream, expectedRevision }: AppendRequest): Pick<Line<never>, 'tenant' | 'begins'> {
  const dot = stream.indexOf('.');
  const tenant = stream.slice(stream.indexOf('-') + 1, dot < 0 ? undefined : dot);
  return { tenant, begins: expectedRevision < 0 };
}
