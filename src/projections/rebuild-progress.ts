import { LOG_START, type Position } from '../commands/ports.ts';

export type RebuildPhase = 'replaying' | 'indexing' | 'comparing' | 'catching_up' | 'swapping' | 'repairing';

export interface RebuildProgress {
  readonly phase: RebuildPhase;
  /** Events applied so far. */
  readonly events: number;
  /** How many there will be, reckoned from how much of the log is done; exact once caught up. */
  readonly totalEvents: number;
  /** 0…1 of the log. */
  readonly done: number;
  readonly eventsPerSecond: number;
  /** Time left for the replay; null while nothing can be said. */
  readonly etaMs: number | null;
  readonly position: Position;
}

const REPORT_EVERY_MS = 100;

/** Counts what a replay has done and tells it, not more often than people can read. */
export class ProgressReport {
  readonly #tell: ((progress: RebuildProgress) => void) | undefined;
  readonly #startedAt = performance.now();
  #phase: RebuildPhase = 'replaying';
  #events = 0;
  #position: Position = LOG_START;
  #end: Position = LOG_START;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(tell: ((progress: RebuildProgress) => void) | undefined) {
    this.#tell = tell;
  }

  get events(): number {
    return this.#events;
  }

  get seconds(): number {
    return (performance.now() - this.#startedAt) / 1_000;
  }

  /** `end`: the position that the phase is going to. */
  enter(phase: RebuildPhase, end?: Position): void {
    this.#phase = phase;
    if (end !== undefined) this.#end = end;
    this.#report();
  }

  page(events: number, position: Position): void {
    this.#events += events;
    this.#position = position;
    if (position > this.#end) this.#end = position;
    if (performance.now() - this.#toldAt >= REPORT_EVERY_MS) this.#report();
  }

  #report(): void {
    this.#toldAt = performance.now();
    const done = this.#end === LOG_START ? 1 : Number(this.#position) / Number(this.#end);
    const eventsPerSecond = this.seconds > 0 ? this.#events / this.seconds : 0;
    const totalEvents = done > 0 ? Math.round(this.#events / done) : this.#events;
    this.#tell?.({
      phase: this.#phase,
      events: this.#events,
      totalEvents,
      done,
      eventsPerSecond,
      etaMs: eventsPerSecond > 0 ? ((totalEvents - this.#events) / eventsPerSecond) * 1_000 : null,
      position: this.#position,
    });
  }
}
