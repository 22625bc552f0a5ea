const MAX_ENTRIES = 10_000;

/**
 * Which job each dedupe key was last seen to stand for, for the keys used last. Never proof: it only says what to look
 * at first. Jobs in here were seen, so they exist.
 */
export class RecentHolders {
  readonly #jobIds = new Map<string, string>();

  get(stream: string): string | undefined {
    return this.#jobIds.get(stream);
  }

  set(stream: string, jobId: string): void {
    this.#jobIds.delete(stream);
    this.#jobIds.set(stream, jobId);
    if (this.#jobIds.size <= MAX_ENTRIES) return;
    const [oldest] = this.#jobIds.keys();
    if (oldest !== undefined) this.#jobIds.delete(oldest);
  }
}
