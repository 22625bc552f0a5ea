import type { Position, StoredEvent } from '../../commands/ports.ts';

const MOST_EVENTS = 10_000;
const MOST_CHARACTERS = 16 * 1024 * 1024;

/** Events that this process committed, until it is their turn. Forgetting them is safe: the log has them. */
export class OwnEvents {
  #events: StoredEvent[] = [];
  #sorted = true;
  #characters = 0;

  get size(): number {
    return this.#events.length;
  }

  /** False when there was no room: all were forgotten, and the log has to be read. */
  add(events: readonly StoredEvent[]): boolean {
    this.#characters += charactersOf(events);
    if (this.#events.length + events.length > MOST_EVENTS || this.#characters > MOST_CHARACTERS) {
      this.clear();
      return false;
    }
    this.#sorted &&= this.#events.length === 0;
    for (const event of events) this.#events.push(event);
    return true;
  }

  clear(): void {
    this.#events = [];
    this.#sorted = true;
    this.#characters = 0;
  }

  /** The events that follow this position without a gap, and forgets those before. */
  takeAfter(after: Position): readonly StoredEvent[] {
    if (!this.#sorted) {
      this.#events.sort((left, right) => (left.position < right.position ? -1 : 1));
      this.#sorted = true;
    }
    const events = this.#events;
    let start = 0;
    while ((events[start]?.position ?? after + 1n) <= after) start += 1;
    let end = start;
    for (let next = after + 1n; events[end]?.position === next; next += 1n) end += 1;
    this.#events = events.slice(end);
    this.#characters -= charactersOf(events.slice(0, end));
    return events.slice(start, end);
  }
}

function charactersOf(events: readonly StoredEvent[]): number {
  let characters = 0;
  for (const { data, content } of events) characters += data.length + (content?.length ?? 0);
  return characters;
}
