import type { Clock } from './ports.ts';
import type { ReadyQueue, WorkerDirective } from './ready-queue.ts';

/** How long a directive may be out of date. */
const FRESH_MS = 2_000;
const MAX_WORKERS = 10_000;
/** A credential for many tenants is watched under the first of them. */
const MAX_SCOPES = 20;

/** Who calls on behalf of which worker, written down now and then, and what the workers are to do. */
export class WorkerWatch {
  readonly #readyQueue: Pick<ReadyQueue, 'sawWorker'>;
  readonly #clock: Clock;
  readonly #told = new Map<string, { readonly at: number; readonly directive: Promise<WorkerDirective> }>();

  constructor(readyQueue: Pick<ReadyQueue, 'sawWorker'>, clock: Clock) {
    this.#readyQueue = readyQueue;
    this.#clock = clock;
  }

  /** What the worker is to do. A directive counts when it was given for any of the tenants. */
  async saw(tenants: readonly string[] | '*', workerId: string): Promise<WorkerDirective> {
    const scopes = tenants === '*' ? ['*'] : [...new Set(tenants)].slice(0, MAX_SCOPES);
    if (scopes.length === 0) return 'run';
    const key = JSON.stringify([workerId, scopes]);
    const now = this.#clock.now();
    const last = this.#told.get(key);
    if (last && Math.abs(now - last.at) < FRESH_MS) return last.directive;
    const directive = this.#readyQueue.sawWorker(scopes, workerId, now);
    this.#told.delete(key);
    this.#told.set(key, { at: now, directive });
    for (const oldest of this.#told.keys()) {
      if (this.#told.size <= MAX_WORKERS) break;
      this.#told.delete(oldest);
    }
    try {
      return await directive;
    } catch (error) {
      this.#told.delete(key);
      throw error;
    }
  }
}
