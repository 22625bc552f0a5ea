const WINDOW_SECONDS = 5;
/** What is left after a quiet time is none: much smaller numbers do not fit the columns that keep the rate. */
const NONE_BELOW = 0.001;

/** Events per second, weighted towards the last few seconds. */
export class EventRate {
  #rate = 0;
  #at = performance.now();

  add(events: number): number {
    const now = performance.now();
    const passed = (now - this.#at) / 1_000;
    this.#at = now;
    const rate = this.#rate * Math.exp(-passed / WINDOW_SECONDS) + events / WINDOW_SECONDS;
    this.#rate = rate < NONE_BELOW ? 0 : rate;
    return this.#rate;
  }
}
