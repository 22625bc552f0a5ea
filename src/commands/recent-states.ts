import type { Job } from '../domain/job/state.ts';
import type { Known } from './handle.ts';

/** What a state takes besides its payload and result, roughly. */
const BASE_BYTES = 600;
/** Of the states that are there when the room is used up. */
const KEPT_SHARE = 0.95;

/**
 * The states of the jobs used last, so that their streams need not be read again. Only a saving: whoever uses one proves
 * it by appending at its revision.
 */
export class RecentStates {
  readonly #states = new Map<string, Known<Job>>();
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  #bytes = 0;

  constructor({ maxEntries = 50_000, maxBytes = 32 * 1024 * 1024 } = {}) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
  }

  get(stream: string): Known<Job> | undefined {
    return this.#states.get(stream);
  }

  /** Keeps the newest revision of a stream, forgets what was put longest ago. */
  put(stream: string, known: Known<Job>): void {
    const old = this.#states.get(stream);
    if (old && old.revision > known.revision) return;
    this.forget(stream);
    this.#states.set(stream, known);
    this.#bytes += bytesOf(known.state);
    if (this.#isFull()) this.#forgetOldest();
  }

  #isFull(): boolean {
    return this.#states.size > this.#maxEntries || this.#bytes > this.#maxBytes;
  }

  /** Apart from put, and some at a time: finding a Map's first entry means passing all that were deleted before it. */
  #forgetOldest(): void {
    const enough = this.#states.size * KEPT_SHARE;
    for (const oldest of this.#states.keys()) {
      if (!this.#isFull() && this.#states.size <= enough) break;
      this.forget(oldest);
    }
  }

  forget(stream: string): void {
    const old = this.#states.get(stream);
    if (!old) return;
    this.#states.delete(stream);
    this.#bytes -= bytesOf(old.state);
  }
}

function bytesOf(job: Job): number {
  if (job.status === 'none' || job.status === 'voided') return BASE_BYTES;
  return BASE_BYTES + job.payload.length + (job.result?.length ?? 0);
}
