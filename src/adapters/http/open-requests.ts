import type { ServerResponse } from 'node:http';
import { HttpProblem } from './problems.ts';

/** A request that stays open for long. Disposed when it is answered. */
export interface OpenRequest extends Disposable {
  /** Aborts when the client goes away or the server stops. */
  readonly signal: AbortSignal;
}

/** Long polls and streams: bounded in number, and ended at once when the server stops. */
export class OpenRequests {
  readonly #open = new Set<AbortController>();
  readonly #most: number;
  readonly #changed: (open: number) => void;
  #closing = false;

  /** `changed` is told how many are open. */
  constructor(most: number, changed: (open: number) => void) {
    this.#most = most;
    this.#changed = changed;
  }

  /** Throws `too-many-requests` when there is no room, `shutting-down` when the server stops. */
  open(response: ServerResponse): OpenRequest {
    if (this.#closing) throw new HttpProblem('shutting-down', undefined, { retryAfterMs: 1_000 });
    if (this.#open.size >= this.#most) {
      throw new HttpProblem('too-many-requests', undefined, { retryAfterMs: 1_000 });
    }
    const controller = new AbortController();
    const abort = () => controller.abort();
    this.#open.add(controller);
    this.#changed(this.#open.size);
    response.once('close', abort);
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        response.off('close', abort);
        this.#open.delete(controller);
        this.#changed(this.#open.size);
      },
    };
  }

  closeAll(): void {
    this.#closing = true;
    for (const controller of this.#open) controller.abort();
  }
}
