import type { Position } from '../../commands/ports.ts';
import type { UndeliveredEvent } from '../postgres/forwarder-store.ts';

/** What the broker has acknowledged, or will never take. */
export interface Acknowledged {
  /** Everything up to here. */
  readonly to: Position;
  readonly messages: number;
  readonly undelivered: readonly UndeliveredEvent[];
}

export interface FeedCheckpointOptions {
  /** Writes it down, from where the last write ended. */
  readonly write: (from: Position, acknowledged: Acknowledged) => Promise<void>;
  /** Told when a write has failed. */
  readonly failed: () => void;
}

/** Sent and not written down yet: a crash repeats no more than this, and what is under way. */
const MOST_UNWRITTEN = 4_000;

/**
 * Follows the acknowledgements without holding up what is sent next: one write is under way, and what is acknowledged
 * meanwhile goes into the one after it.
 */
export class FeedCheckpoint {
  readonly #options: FeedCheckpointOptions;
  #position: Position;
  #noted: Acknowledged | undefined;
  #writing: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(position: Position, options: FeedCheckpointOptions) {
    this.#position = position;
    this.#options = options;
  }

  /** Resolves when there is room for more. Rejects with what a write has failed with; then nothing more is written. */
  async note(acknowledged: Acknowledged): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    if (acknowledged.to <= (this.#noted?.to ?? this.#position)) return;
    this.#noted = {
      to: acknowledged.to,
      messages: (this.#noted?.messages ?? 0) + acknowledged.messages,
      undelivered: [...(this.#noted?.undelivered ?? []), ...acknowledged.undelivered],
    };
    this.#writing ??= this.#writeAll();
    if (this.#noted && this.#noted.messages >= MOST_UNWRITTEN) await this.settled();
  }

  /** Resolves when everything noted is written down; rejects as note does. */
  async settled(): Promise<void> {
    await this.#writing;
    if (this.#failure) throw this.#failure.error;
  }

  async #writeAll(): Promise<void> {
    const { write, failed } = this.#options;
    try {
      while (this.#noted) {
        const noted = this.#noted;
        this.#noted = undefined;
        await write(this.#position, noted);
        this.#position = noted.to;
      }
    } catch (error) {
      this.#failure = { error };
      failed();
    } finally {
      this.#writing = undefined;
    }
  }
}
