import type pg from 'pg';
import { LOG_START, type Position } from '../../commands/ports.ts';
import { type Metrics, noMetrics } from '../../commands/telemetry.ts';
import { isLockTimeout } from './sql-errors.ts';

export interface HighWaterOptions {
  readonly pool: pg.Pool;
  readonly metrics?: Metrics | undefined;
  readonly timeoutMs: number;
}

/** After a stuck writer was met: asking again makes the other writers wait, so not at once. */
const PAUSE_AFTER_TIMEOUT_MS = 1_000;

/**
 * The highest position up to which nothing can turn up any more. Positions are drawn before they are committed, so a
 * reader that went further could pass an event that becomes visible later, and never see it.
 */
export class HighWater {
  readonly #options: HighWaterOptions;
  readonly #metrics: Metrics;
  #known: Position = LOG_START;
  #knownAt = performance.now();
  #notBefore = 0;
  /** The refresh under way, and the one that starts when it ends: who comes in between must not get the older answer. */
  #current: Promise<Position> | undefined;
  #next: Promise<Position> | undefined;

  constructor(options: HighWaterOptions) {
    this.#options = options;
    this.#metrics = options.metrics ?? noMetrics;
  }

  /** For a query to stay below, read it before the query starts: what it covers is visible to later snapshots only. */
  get known(): Position {
    return this.#known;
  }

  /** Everything up to here was seen without a gap, so there is no room for latecomers. */
  raise(position: Position): void {
    if (position > this.#known) this.#known = position;
    this.#knownAt = performance.now();
  }

  /** Asks the database; covers all that was committed before the call. A stuck writer leaves it where it was. */
  refresh(): Promise<Position> {
    if (!this.#current) {
      this.#current = this.#ask().finally(() => {
        this.#current = undefined;
      });
      return this.#current;
    }
    if (!this.#next) {
      this.#next = this.#current
        .catch(() => undefined)
        .then(() => {
          this.#next = undefined;
          return this.refresh();
        });
    }
    return this.#next;
  }

  async #ask(): Promise<Position> {
    if (performance.now() < this.#notBefore) return this.#known;
    try {
      const { rows } = await this.#options.pool.query<{ position: string }>({
        name: 'settled_position',
        text: SETTLED_POSITION,
        values: [this.#known.toString()],
        ...{ query_timeout: this.#options.timeoutMs },
      });
      this.raise(BigInt(rows[0]?.position ?? 0));
    } catch (error) {
      if (!isLockTimeout(error)) throw error;
      this.#notBefore = performance.now() + PAUSE_AFTER_TIMEOUT_MS;
      this.#metrics.count('event_log_hwm_timeouts');
    }
    this.#metrics.gauge('event_log_hwm_age', (performance.now() - this.#knownAt) / 1_000);
    return this.#known;
  }
}

const SETTLED_POSITION = 'select settled_position($1) as position';
