import { parseLeaseToken } from './lease-token.ts';
import type { LineProgress } from './line-progress.ts';
import { type Lane, onePerJob, type Placement, placementOf } from './placement.ts';
import type { Clock, Position } from './ports.ts';
import type { ReadyQueue } from './ready-queue.ts';
import { type Logger, type Metrics, noLogger, noMetrics } from './telemetry.ts';
import type { UseCases } from './use-cases.ts';

export interface OvertakerDeps {
  readonly readyQueue: ReadyQueue;
  readonly clock: Clock;
  /** Told when jobs became ready, and in which lanes. */
  readonly wake: (lanes: readonly Lane[]) => void;
  /** Absent: the tables are asked. */
  readonly progress?: LineProgress;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}

/** The projection usually has done it by then. */
const AFTER_MS = 10;
/** If it was late a moment ago it will be again: another process appends, and the log is read in the order of its positions. */
const SOON_MS = 1;
const LATE_FOR_MS = 500;
/** Of one tenant in that time: who has more waits behind what it made itself. */
const PER_TENANT = 8;
/** However long placing them takes. */
const MOST_OF_TENANT = 200;
const AT_MOST = 1_000;
/** So many events before a job, and the projection will not get to it in time: waiting for it would be in vain. */
const FAR: Position = 1_000n;

interface Change {
  readonly tenantId: string;
  readonly position: Position;
  readonly notedAt: number;
  /** Made when it is wanted, which it mostly is not: it writes the whole job down. */
  readonly placement: (now: number) => Placement;
}

/**
 * Places jobs that this process has enqueued or ended before the projection gets there, if that is behind: a tenant with
 * few jobs does not wait until those of a tenant with many are placed. Only a shortcut: the projection places them all,
 * and placing twice is harmless.
 */
export class Overtaker {
  readonly #deps: OvertakerDeps;
  readonly #changes = new Map<string, Change[]>();
  /** When what is being gathered or placed was begun to be gathered; undefined: nothing is. */
  #since: number | undefined;
  #placedAt = Number.NEGATIVE_INFINITY;
  #lateUntil = Number.NEGATIVE_INFINITY;

  constructor(deps: OvertakerDeps) {
    this.#deps = deps;
  }

  enqueueJobs(enqueueJobs: UseCases['enqueueJobs']): UseCases['enqueueJobs'] {
    return async (context, requests, options) => {
      const results = await enqueueJobs(context, requests, options);
      for (const result of results.slice(0, PER_TENANT)) {
        if (result.kind !== 'created') continue;
        const { snapshot, position } = result;
        const { tenantId, revision, job } = snapshot;
        const placement = (now: number): Placement => ({
          ...placementOf(snapshot, revision, job, now),
          isNew: revision === 0,
        });
        this.#note({ tenantId, position, placement });
      }
      return results;
    };
  }

  /** Ends free slots. */
  acknowledge(acknowledge: UseCases['acknowledge']): UseCases['acknowledge'] {
    return async (context, tenants, acknowledgements) => {
      const results = await acknowledge(context, tenants, acknowledgements);
      results.forEach((result, index) => {
        if (result.kind !== 'acknowledged' || result.position === undefined) return;
        if (result.status !== 'completed') return;
        const token = parseLeaseToken(acknowledgements[index]?.leaseToken ?? '');
        if (!token) return;
        const { tenantId, jobId } = token;
        const { position, revision } = result;
        this.#note({ tenantId, position, placement: () => ({ kind: 'gone', tenantId, jobId, revision }) });
      });
      return results;
    };
  }

  #note(change: Omit<Change, 'notedAt'>): void {
    const { tenantId } = change;
    const notedAt = performance.now();
    const changes = this.#changes.get(tenantId) ?? [];
    const times = Math.max(1, (notedAt - (this.#since ?? notedAt)) / AFTER_MS);
    if (changes.length >= Math.min(PER_TENANT * times, MOST_OF_TENANT)) return;
    changes.push({ ...change, notedAt });
    this.#changes.set(tenantId, changes);
    if (this.#since === undefined) this.#gather();
  }

  #gather(): void {
    const now = performance.now();
    this.#since = now;
    const areFar = this.#areFar([...this.#changes.values()].flat());
    const isLate = now < this.#lateUntil;
    if (areFar) this.#deps.progress?.overtaken();
    const sinceMs = now - this.#placedAt;
    const waitMs = areFar ? Math.max(0, AFTER_MS - sinceMs) : isLate ? SOON_MS : AFTER_MS;
    if (waitMs === 0) setImmediate(() => void this.#overtake());
    else setTimeout(() => void this.#overtake(), waitMs).unref();
  }

  #areFar(changes: readonly Change[]): boolean {
    const placed = this.#deps.progress?.position;
    return placed !== undefined && changes.some(({ position }) => position > placed + FAR);
  }

  async #overtake(): Promise<void> {
    const { readyQueue, clock, wake, logger = noLogger, metrics = noMetrics } = this.#deps;
    const changes = [...this.#changes.values()].flat().slice(0, AT_MOST);
    this.#changes.clear();
    const startedAt = performance.now();
    this.#placedAt = startedAt;
    try {
      const isKnown = this.#areFar(changes) || startedAt < this.#lateUntil;
      const known = isKnown ? this.#deps.progress?.position : undefined;
      const placed = known ?? (await readyQueue.placedThrough());
      // Nothing is known of a line that is being filled anew.
      const late = placed === undefined ? [] : changes.filter(({ position }) => position > placed);
      if (late.length === 0) return;
      if (late.some(({ notedAt }) => startedAt - notedAt >= AFTER_MS - SOON_MS))
        this.#lateUntil = startedAt + LATE_FOR_MS;
      const now = clock.now();
      const placements = onePerJob(late.map(({ placement }) => placement(now)));
      if (known === undefined) await readyQueue.place(placements, now);
      else if (!(await readyQueue.overtake(placements, now))) return;
      metrics.count('jobs_overtaken_total', placements.length);
      const ready = placements.filter((placement) => placement.kind === 'ready');
      if (ready.length > 0) wake(ready);
    } catch (err) {
      logger.debug({ err }, 'jobs were not placed ahead; the projection will');
    } finally {
      this.#since = undefined;
      if (this.#changes.size > 0) this.#gather();
    }
  }
}
