import { setTimeout as sleep } from 'node:timers/promises';
import type { Position } from '../commands/ports.ts';

/** Looks into the database for positions that other processes reach; one query serves all who wait. */
const POLL_MS = 25;
/** More would only make everyone slower: these are told at once that they waited in vain. */
const MOST_WAITERS = 10_000;

interface Waiter {
  readonly projection: string;
  readonly position: Position;
  readonly settle: (reached: boolean) => void;
}

/** Those who wait until a projection has come as far as some position. */
export class PositionWaiters {
  readonly #readPositions: () => Promise<ReadonlyMap<string, Position>>;
  readonly #reached = new Map<string, Position>();
  readonly #waiters = new Set<Waiter>();
  #polling = false;

  constructor(readPositions: () => Promise<ReadonlyMap<string, Position>>) {
    this.#readPositions = readPositions;
  }

  /** What the runner of this process says; it may go back, when emptied tables fill again. */
  advanced(projection: string, position: Position): void {
    this.#reached.set(projection, position);
    this.#settle(projection, position);
  }

  async waitFor(projection: string, position: Position, timeoutMs: number): Promise<boolean> {
    if ((this.#reached.get(projection) ?? -1n) >= position) return true;
    if (this.#waiters.size >= MOST_WAITERS) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiter = { projection, position, settle: resolve };
    const timer = setTimeout(resolve, timeoutMs, false);
    this.#waiters.add(waiter);
    void this.#poll();
    const reached = await promise;
    clearTimeout(timer);
    this.#waiters.delete(waiter);
    return reached;
  }

  async #poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    while (this.#waiters.size > 0) {
      // A database that does not answer now may answer the next time; the waiters have their timeouts.
      const positions = await this.#readPositions().catch(() => new Map<string, Position>());
      for (const [projection, position] of positions) this.#settle(projection, position);
      await sleep(POLL_MS);
    }
    this.#polling = false;
  }

  #settle(projection: string, position: Position): void {
    for (const waiter of this.#waiters) {
      if (waiter.projection === projection && waiter.position <= position) waiter.settle(true);
    }
  }
}
