/** Rows may still come in with a time a little past. */
const MARGIN_MS = 3_000;
const WHOLE_MS = 60_000;

/**
 * From where a sweep over times has to look. Rows that were swept leave dead entries at the front of the index; looking
 * at all of them every time would make an idle sweep cost what was ever swept. Once a minute, and whenever the clock has
 * gone back, it looks at everything.
 */
export class SweepWindow {
  #swept = 0;
  #wholeAt = Number.NEGATIVE_INFINITY;

  /** The time after which to look. */
  from(now: number): number {
    if (now >= this.#swept && now - this.#wholeAt < WHOLE_MS) return this.#swept - MARGIN_MS;
    return -1;
  }

  /** Nothing due was left. */
  sweptUpTo(now: number): void {
    if (now < this.#swept || now - this.#wholeAt >= WHOLE_MS) this.#wholeAt = now;
    this.#swept = now;
  }
}
