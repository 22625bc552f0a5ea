import type { Position, StoredEvent } from '../../commands/ports.ts';
import { WakeUp } from './wake-up.ts';

export interface TailPage {
  readonly events: readonly StoredEvent[];
  /** Everything up to here is in this page or an earlier one. */
  readonly position: Position;
  readonly withContent: boolean;
}

const MOST_EVENTS = 10_000;
const MOST_CHARACTERS = 16 * 1024 * 1024;
/** Longest a reader waits before it looks at its signal again. */
const LONGEST_WAIT_MS = 1_000;

/** What one subscriber has not taken yet. Bounded: a slow subscriber loses its place here and reads pages by itself. */
export class TailBuffer {
  readonly startsAfter: Position;
  readonly withContent: boolean;
  readonly #wakeUp = new WakeUp();
  #pages: TailPage[] = [];
  #events = 0;
  #characters = 0;
  #overflowed = false;

  constructor(startsAfter: Position, withContent: boolean) {
    this.startsAfter = startsAfter;
    this.withContent = withContent;
  }

  get overflowed(): boolean {
    return this.#overflowed;
  }

  push(page: TailPage): void {
    this.#events += page.events.length;
    for (const { data, content } of page.events) this.#characters += data.length + (content?.length ?? 0);
    const lacksContent = this.withContent && !page.withContent && page.events.length > 0;
    if (lacksContent || this.#events > MOST_EVENTS || this.#characters > MOST_CHARACTERS) {
      this.#overflowed = true;
      this.#pages = [];
    } else {
      this.#pages.push(page);
    }
    this.#wakeUp.call();
  }

  /** All pages waiting; empty after an overflow, at an abort, and once in a while when nothing comes. */
  async take(signal: AbortSignal): Promise<readonly TailPage[]> {
    if (this.#pages.length === 0 && !this.#overflowed && !signal.aborted) {
      const onAbort = () => this.#wakeUp.call();
      signal.addEventListener('abort', onAbort, { once: true });
      await this.#wakeUp.wait(LONGEST_WAIT_MS);
      signal.removeEventListener('abort', onAbort);
    }
    const pages = this.#pages;
    this.#pages = [];
    this.#events = 0;
    this.#characters = 0;
    return pages;
  }
}
