const WINDOW_SECONDS = 5;

/** Events per second, weighted towards the last few seconds. */
export class EventRate {
  #rate = 0;
  #at = performance.now();

  add(events: number): number {
    const now = performance.now();
    const passed = (now - this.#at) / 1_000;
    this.#at = now;
    this.#rate = this.#rate * Math.exp(-passed / WINDOW_SECONDS) + events / WINDOW_SECONDS;
    return this.#rate;
  }
}
