import {
  type AppendOutcome,
  type AppendRequest,
  LogOverloadedError,
  LogUnavailableError,
} from '../../commands/ports.ts';
import { type Metrics, noMetrics } from '../../commands/telemetry.ts';
import { AppendLines, type Room, type TenantActivity, type WaitingAppend } from './append-lines.ts';

export interface CoalescerOptions {
  readonly metrics?: Metrics | undefined;
  /** Calls under way at once; default 3. */
  readonly maxCalls?: number | undefined;
  /** Events in a call; default 500. A single larger append still goes in one call: it is all or nothing. */
  readonly maxBatchEvents?: number | undefined;
  /** Characters of JSON in a call; default 1 Mi. */
  readonly maxBatchBytes?: number | undefined;
  /** Longest wait for company while other calls are under way; default 2 ms. */
  readonly lingerMs?: number | undefined;
  /** Events accepted and not yet settled before new appends are refused; default 20,000. */
  readonly maxPendingEvents?: number | undefined;
  /** The same in characters of JSON; default 64 Mi. */
  readonly maxPendingBytes?: number | undefined;
  /** Absent: every tenant has the log for itself. */
  readonly activity?: TenantActivity | undefined;
}

export type WriterAnswer = AppendOutcome | Error;

type Write = (requests: readonly AppendRequest[]) => Promise<readonly WriterAnswer[]>;

interface Item extends WaitingAppend {
  readonly settle: (answer: WriterAnswer) => void;
}

/**
 * Gathers the appends of many callers into few calls, so that one flush of the disk serves them all. Idle, it sends at
 * once. Appends to one stream never share a call and never overtake each other: the next goes out when the one before
 * is settled. What is waiting is bounded; beyond that appends are refused with LogOverloadedError.
 */
export class AppendCoalescer {
  readonly #write: Write;
  readonly #metrics: Metrics;
  readonly #limits: {
    readonly maxCalls: number;
    readonly lingerMs: number;
    readonly maxPendingEvents: number;
    readonly maxPendingBytes: number;
  };
  /** In a call. */
  readonly #room: Room;
  /** May go out in the next call. */
  readonly #ready: AppendLines<Item>;
  /** Streams with an append ready or under way, and what waits behind it. */
  readonly #behind = new Map<string, Item[]>();
  #pendingEvents = 0;
  #pendingBytes = 0;
  #calls = 0;
  #flushPlanned = false;
  #linger: NodeJS.Timeout | undefined;
  #rest: NodeJS.Timeout | undefined;
  #lastCallMs = 5;
  #closed = false;
  #drained = Promise.withResolvers<void>();

  constructor(write: Write, options: CoalescerOptions = {}) {
    this.#write = write;
    this.#ready = new AppendLines(options.activity);
    this.#metrics = options.metrics ?? noMetrics;
    this.#limits = {
      maxCalls: options.maxCalls ?? 3,
      lingerMs: options.lingerMs ?? 2,
      maxPendingEvents: options.maxPendingEvents ?? 20_000,
      maxPendingBytes: options.maxPendingBytes ?? 64 * 1024 * 1024,
    };
    this.#room = {
      events: options.maxBatchEvents ?? 500,
      bytes: options.maxBatchBytes ?? 1024 * 1024,
    };
  }

  append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]> {
    if (requests.length === 0) return Promise.resolve([]);
    const sizes = requests.map(sizeOf);
    const events = requests.reduce((sum, request) => sum + request.events.length, 0);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    this.#admit(events, bytes);
    const { promise, resolve, reject } = Promise.withResolvers<readonly AppendOutcome[]>();
    const outcomes = new Array<AppendOutcome>(requests.length);
    let open = requests.length;
    let failure: Error | undefined;
    requests.forEach((request, index) => {
      this.#enqueue({
        request,
        bytes: sizes[index] ?? 0,
        settle: (answer) => {
          if (answer instanceof Error) failure ??= answer;
          else outcomes[index] = answer;
          open -= 1;
          if (open > 0) return;
          if (failure) reject(failure);
          else resolve(outcomes);
        },
      });
    });
    this.#planFlush();
    return promise;
  }

  /** Refuses new appends and waits until those under way are settled. */
  close(): Promise<void> {
    this.#closed = true;
    if (this.#pendingEvents === 0) this.#drained.resolve();
    return this.#drained.promise;
  }

  /** An append larger than the limits is let in when nothing else waits: it could never succeed otherwise. */
  #admit(events: number, bytes: number): void {
    if (this.#closed) throw new LogUnavailableError('the event log is closed');
    const { maxPendingEvents, maxPendingBytes } = this.#limits;
    const full =
      this.#pendingEvents + events > maxPendingEvents || this.#pendingBytes + bytes > maxPendingBytes;
    if (full && this.#pendingEvents > 0) {
      this.#metrics.count('event_log_append_refused', events);
      throw new LogOverloadedError(this.#untilRoomMs());
    }
    this.#pendingEvents += events;
    this.#pendingBytes += bytes;
    this.#metrics.gauge('event_log_pending_events', this.#pendingEvents);
  }

  /** Half of what waits has to go; the calls of late say how long that takes. */
  #untilRoomMs(): number {
    const rounds = Math.ceil(this.#pendingEvents / 2 / (this.#limits.maxCalls * this.#room.events));
    return Math.min(Math.max(Math.ceil(rounds * this.#lastCallMs), 50), 5_000);
  }

  #enqueue(item: Item): void {
    const behind = this.#behind.get(item.request.stream);
    if (behind) {
      behind.push(item);
      return;
    }
    this.#behind.set(item.request.stream, []);
    this.#ready.add(item);
  }

  #planFlush(): void {
    if (this.#flushPlanned || !this.#isReady()) return;
    this.#flushPlanned = true;
    // Not at this very moment: appends made in the same turn of the event loop belong together.
    setImmediate(() => {
      this.#flushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    const { maxCalls, lingerMs } = this.#limits;
    while (this.#calls < maxCalls && this.#isReady()) {
      if (this.#calls > 0 && !this.#ready.fills(this.#room)) {
        this.#linger ??= setTimeout(() => this.#send(), lingerMs);
        return;
      }
      this.#send();
    }
  }

  /** Whether something may go out now. If it is resting, it is seen to when that is over. */
  #isReady(): boolean {
    const inMs = this.#ready.readyInMs(performance.now());
    clearTimeout(this.#rest);
    if (inMs) this.#rest = setTimeout(() => this.#planFlush(), inMs);
    return inMs === 0;
  }

  #send(): void {
    clearTimeout(this.#linger);
    this.#linger = undefined;
    if (this.#calls >= this.#limits.maxCalls) return;
    const startedAt = performance.now();
    const call = this.#ready.take(this.#room, startedAt);
    const { items } = call;
    if (items.length === 0) return;
    this.#metrics.count('event_log_append_calls');
    this.#metrics.count(
      'event_log_append_events',
      items.reduce((sum, { request }) => sum + request.events.length, 0),
    );
    this.#calls += 1;
    // write answers errors and never rejects.
    void this.#write(items.map(({ request }) => request)).then((answers) => {
      const now = performance.now();
      this.#calls -= 1;
      this.#lastCallMs = now - startedAt;
      this.#ready.returned(call, this.#lastCallMs, now);
      if (call.holdsUp.length > 0) this.#metrics.count('event_log_append_rests', call.holdsUp.length);
      this.#metrics.observe('event_log_append', this.#lastCallMs / 1_000);
      this.#settle(items, answers);
    });
  }

  #settle(batch: readonly Item[], answers: readonly WriterAnswer[]): void {
    let conflicts = 0;
    batch.forEach((item, index) => {
      const answer = answers[index] ?? new Error('the log left an append unanswered');
      this.#pendingEvents -= item.request.events.length;
      this.#pendingBytes -= item.bytes;
      if (!(answer instanceof Error) && answer.kind === 'conflict') conflicts += 1;
      this.#release(item.request.stream);
      item.settle(answer);
    });
    if (conflicts > 0) this.#metrics.count('event_log_conflicts', conflicts);
    this.#metrics.gauge('event_log_pending_events', this.#pendingEvents);
    if (this.#closed && this.#pendingEvents === 0) this.#drained.resolve();
    this.#planFlush();
  }

  #release(stream: string): void {
    const behind = this.#behind.get(stream);
    const next = behind?.shift();
    if (next) this.#ready.add(next);
    else this.#behind.delete(stream);
  }
}

/** Roughly what the request weighs in memory and on the wire; refuses what no log could take. */
function sizeOf({ stream, expectedRevision, events }: AppendRequest): number {
  if (events.length === 0) throw new TypeError('an append needs at least one event');
  if (stream === '' || stream.includes('\n')) throw new TypeError('a stream name is one line of text');
  if (!Number.isInteger(expectedRevision) || expectedRevision < -1) {
    throw new TypeError(`${expectedRevision} is no revision`);
  }
  let bytes = 0;
  for (const { type, data, content } of events) {
    if (type === '' || type.includes('\n')) throw new TypeError('an event type is one line of text');
    bytes += 300 + data.length + (content?.length ?? 0);
  }
  return bytes;
}
