import type { Position } from './ports.ts';

/** Nothing heard for so long: another process may line jobs up now. */
const HEARD_MS = 1_000;
/** Jobs of other tenants may follow for so long. */
const OVERTAKEN_MS = 1_000;

/** How far jobs are lined up in the order of the log, as long as this process does it. */
export class LineProgress {
  #position: Position | undefined;
  #heardAt = Number.NEGATIVE_INFINITY;
  #overtakenAt = Number.NEGATIVE_INFINITY;

  moved(position: Position): void {
    this.#position = position;
    this.#heardAt = performance.now();
  }

  /** A job is placed before its turn in the log, because that is far. */
  overtaken(): void {
    this.#overtakenAt = performance.now();
  }

  /** Whoever overtakes waits for the placing lock: it should not be held for long. */
  get isOvertaken(): boolean {
    return performance.now() - this.#overtakenAt < OVERTAKEN_MS;
  }

  /** undefined: not known here. */
  get position(): Position | undefined {
    return performance.now() - this.#heardAt < HEARD_MS ? this.#position : undefined;
  }
}
