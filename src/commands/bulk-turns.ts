import { MANY_JOBS } from './active-tenants.ts';
import { LogOverloadedError } from './ports.ts';
import { type Metrics, noMetrics } from './telemetry.ts';
import type { UseCases } from './use-cases.ts';

/** Of one tenant, at once: more would wait in the log's queue, before what others append. */
const AT_ONCE = 4;
/** Jobs of one tenant that may wait, and how long. */
const MAX_WAITING = 20_000;
const MAX_WAIT_MS = 8_000;
const RETRY_AFTER_MS = 1_000;

/** From so many tenants on, those without bulks are forgotten. */
const MANY_LINES = 1_000;

interface Line {
  underWay: number;
  waitingJobs: number;
  readonly waiting: Waiting[];
}

interface Waiting {
  readonly goAhead: () => void;
  readonly giveUp: NodeJS.Timeout;
}

/**
 * Calls that enqueue many jobs, tenant by tenant: however many a tenant makes at once, most of them wait before they take
 * room where all appends wait.
 */
export class BulkTurns {
  readonly #metrics: Metrics;
  readonly #lines = new Map<string, Line>();
  #waiting = 0;

  constructor(metrics: Metrics = noMetrics) {
    this.#metrics = metrics;
  }

  enqueueJobs(enqueueJobs: UseCases['enqueueJobs']): UseCases['enqueueJobs'] {
    return async (context, requests, options) => {
      const { tenantId } = context;
      const jobs = requests.length;
      if (jobs < MANY_JOBS) return enqueueJobs(context, requests, options);
      const line = this.#lineOf(tenantId);
      await this.#turn(line, jobs);
      try {
        return await enqueueJobs(context, requests, options);
      } finally {
        this.#leave(line);
      }
    };
  }

  #lineOf(tenantId: string): Line {
    const known = this.#lines.get(tenantId);
    if (known) return known;
    if (this.#lines.size >= MANY_LINES) this.#forgetIdle();
    const line: Line = { underWay: 0, waitingJobs: 0, waiting: [] };
    this.#lines.set(tenantId, line);
    return line;
  }

  async #turn(line: Line, jobs: number): Promise<void> {
    if (line.underWay < AT_ONCE) {
      line.underWay += 1;
      return;
    }
    if (line.waitingJobs + jobs > MAX_WAITING) throw new LogOverloadedError(RETRY_AFTER_MS);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = setTimeout(() => {
      line.waiting.splice(line.waiting.indexOf(waiting), 1);
      reject(new LogOverloadedError(RETRY_AFTER_MS));
    }, MAX_WAIT_MS);
    const waiting: Waiting = { goAhead: resolve, giveUp };
    line.waiting.push(waiting);
    this.#count(line, jobs);
    await promise.finally(() => this.#count(line, -jobs));
  }

  #count(line: Line, jobs: number): void {
    line.waitingJobs += jobs;
    this.#waiting += jobs;
    this.#metrics.gauge('bulk_jobs_waiting', this.#waiting);
  }

  /** Whoever waits takes over the place, so that nobody slips in between. */
  #leave(line: Line): void {
    const next = line.waiting.shift();
    if (next) {
      clearTimeout(next.giveUp);
      next.goAhead();
      return;
    }
    line.underWay -= 1;
  }

  #forgetIdle(): void {
    for (const [tenantId, line] of this.#lines) if (line.underWay === 0) this.#lines.delete(tenantId);
  }
}
