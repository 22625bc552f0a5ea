import type { ServerResponse } from 'node:http';
import { HttpProblem } from './problems.ts';

/** A request that stays open for long. Disposed when it is answered. */
export interface OpenRequest extends Disposable {
  /** Aborts when the client goes away or the server stops. */
  readonly signal: AbortSignal;
}

/** A caller may have this many times as much open as is still free: the more there is, the more is left for others. */
const SHARE = 3;

/**
 * Long polls and streams: bounded in number, and ended at once when the server stops. Whoever acts for some tenants can
 * never have all of them, so that others always find room.
 */
export class OpenRequests {
  readonly #open = new Set<AbortController>();
  readonly #byHolder = new Map<string, number>();
  readonly #most: number;
  readonly #changed: (open: number) => void;
  #closing = false;

  /** `changed` is told how many are open. */
  constructor(most: number, changed: (open: number) => void) {
    this.#most = most;
    this.#changed = changed;
  }

  /**
   * `holder`: who it counts for; null has no share of its own, but all that is free. Throws `too-many-requests` when there
   * is no room, `shutting-down` when the server stops.
   */
  open(response: ServerResponse, holder: string | null): OpenRequest {
    if (this.#closing) throw new HttpProblem('shutting-down', undefined, { retryAfterMs: 1_000 });
    if (!this.#hasRoom(holder)) {
      throw new HttpProblem('too-many-requests', undefined, { retryAfterMs: 1_000 });
    }
    const controller = new AbortController();
    const abort = () => controller.abort();
    this.#open.add(controller);
    this.#count(holder, 1);
    this.#changed(this.#open.size);
    response.once('close', abort);
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        response.off('close', abort);
        if (this.#open.delete(controller)) this.#count(holder, -1);
        this.#changed(this.#open.size);
      },
    };
  }

  closeAll(): void {
    this.#closing = true;
    for (const controller of this.#open) controller.abort();
  }

  #hasRoom(holder: string | null): boolean {
    const free = this.#most - this.#open.size;
    return free > 0 && (holder === null || (this.#byHolder.get(holder) ?? 0) < SHARE * free);
  }

  #count(holder: string | null, more: 1 | -1): void {
    if (holder === null) return;
    const held = (this.#byHolder.get(holder) ?? 0) + more;
    if (held > 0) this.#byHolder.set(holder, held);
    else this.#byHolder.delete(holder);
  }
}
