/**
 * Messages of one partition that are tried again later. The partition goes on meanwhile, but its committed offset stays
 * before the first of them: after a crash they are read again, and the ledger knows what has happened since.
 */
export class PendingRetries {
  readonly #open = new Map<bigint, Promise<void>>();
  #next: bigint;
  /** Resolved, and made anew, whenever one is over: to race all that are open would cost as much as there are. */
  #over = Promise.withResolvers<void>();
  /** The partition is read by someone else now: what is committed is theirs to say. */
  lost = false;

  /** Where reading begins: what is below was handled before. */
  constructor(first: bigint) {
    this.#next = first;
  }

  get size(): number {
    return this.#open.size;
  }

  has(offset: bigint): boolean {
    return this.#open.has(offset);
  }

  /** The retry must not reject. Resolves when it is over and does not hold the offset back any more. */
  add(offset: bigint, retry: Promise<void>): Promise<void> {
    const over = retry.then(() => {
      this.#open.delete(offset);
      this.#over.resolve();
      this.#over = Promise.withResolvers();
    });
    this.#open.set(offset, over);
    return over;
  }

  /** Everything below this offset was handled, or is here. */
  reached(next: bigint): void {
    this.#next = next;
  }

  /** What may be committed. */
  get committable(): bigint {
    let first = this.#next;
    for (const offset of this.#open.keys()) if (offset < first) first = offset;
    return first;
  }

  /** Resolves when there is room again. */
  async below(most: number): Promise<void> {
    while (this.#open.size >= most) await this.#over.promise;
  }
}
