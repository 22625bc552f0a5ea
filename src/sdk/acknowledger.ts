import { JobsApiError } from './errors.ts';
import { pause } from './http.ts';
import type { WorkerAcknowledged, WorkerAcknowledgement, WorkerTransport } from './transport.ts';

const MAX_BATCH = 500;
/** Well under the service's body limit for batches. */
const MAX_BATCH_CHARACTERS = 1_000_000;
const MAX_IN_FLIGHT = 2;

interface Waiting {
  readonly acknowledgement: WorkerAcknowledgement;
  readonly characters: number;
  /** Nobody listens any more once the lease has run out. */
  readonly giveUpAt: number;
  readonly resolve: (answer: WorkerAcknowledged | Unacceptable) => void;
}

/** The service can't take this outcome as it is: its result is too big, say. */
interface Unacceptable {
  readonly kind: 'unacceptable';
  readonly error: JobsApiError;
}
const NOT_DELIVERED = { kind: 'refused', code: 'not_delivered' } as const;

/**
 * Puts the outcomes of attempts that end at about the same time into one call. An outcome that can't be delivered is
 * tried again until its lease has run out; then the service gives the job to somebody else anyway. One that the service
 * can't accept must not take the others with it: a batch that is turned down is halved until it stands alone.
 */
export class Acknowledger {
  readonly #transport: Pick<WorkerTransport, 'acknowledge'>;
  readonly #leaseMs: number;
  #waiting: Waiting[] = [];
  #inFlight = 0;
  #scheduled = false;
  readonly #closed = new AbortController();

  constructor(transport: Pick<WorkerTransport, 'acknowledge'>, leaseMs: number) {
    this.#transport = transport;
    this.#leaseMs = leaseMs;
  }

  /** Resolves with the service's answer; `refused` with `not_delivered` when it never came. */
  acknowledge(acknowledgement: WorkerAcknowledgement): Promise<WorkerAcknowledged | Unacceptable> {
    return new Promise((resolve) => {
      if (this.#closed.signal.aborted) return resolve(NOT_DELIVERED);
      const characters = sizeOf(acknowledgement);
      this.#waiting.push({
        acknowledgement,
        characters,
        giveUpAt: performance.now() + this.#leaseMs,
        resolve,
      });
      this.#schedule();
    });
  }

  /** Gives up on everything that is not delivered yet. */
  close(): void {
    this.#closed.abort();
    for (const waiting of this.#waiting.splice(0)) waiting.resolve(NOT_DELIVERED);
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= MAX_IN_FLIGHT || this.#waiting.length === 0) return;
    this.#scheduled = true;
    // One turn of the event loop gathers everything that ended together.
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#inFlight < MAX_IN_FLIGHT) void this.#flush(this.#nextBatch());
      this.#schedule();
    });
  }

  #nextBatch(): readonly Waiting[] {
    let characters = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      characters += waiting.characters;
      if (count >= MAX_BATCH || (count > 0 && characters > MAX_BATCH_CHARACTERS)) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #flush(batch: readonly Waiting[]): Promise<void> {
    if (batch.length === 0) return;
    this.#inFlight += 1;
    try {
      await this.#deliver(batch);
    } catch {
      await pause(100 + Math.random() * 400, this.#closed.signal).catch(() => {});
      this.#tryAgain(batch);
    } finally {
      this.#inFlight -= 1;
      this.#schedule();
    }
  }

  async #deliver(batch: readonly Waiting[]): Promise<void> {
    try {
      const answers = await this.#transport.acknowledge(batch.map((waiting) => waiting.acknowledgement));
      batch.forEach((waiting, index) => {
        waiting.resolve(answers[index] ?? NOT_DELIVERED);
      });
    } catch (error) {
      if (!(error instanceof JobsApiError && isFinal(error))) throw error;
      const [first, ...rest] = batch;
      if (rest.length === 0) return first?.resolve({ kind: 'unacceptable', error });
      const half = Math.ceil(batch.length / 2);
      await this.#flush(batch.slice(0, half));
      await this.#flush(batch.slice(half));
    }
  }

  #tryAgain(batch: readonly Waiting[]): void {
    const now = performance.now();
    for (const waiting of batch) {
      if (waiting.giveUpAt > now && !this.#closed.signal.aborted) this.#waiting.push(waiting);
      else waiting.resolve(NOT_DELIVERED);
    }
  }
}

/** The service looked at the outcome itself and will not change its mind. */
const isFinal = ({ status }: JobsApiError): boolean => [400, 413, 415, 422].includes(status);

function sizeOf(acknowledgement: WorkerAcknowledgement): number {
  const result = acknowledgement.outcome === 'completed' ? acknowledgement.result : undefined;
  return 300 + (result === undefined ? 0 : (JSON.stringify(result)?.length ?? 0));
}
