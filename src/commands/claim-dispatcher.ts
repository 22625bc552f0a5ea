import { AnnouncedLanes } from './announced-lanes.ts';
import { dealSlots } from './deal-slots.ts';
import { type LaneFilter, laneFilter } from './lane-filter.ts';
import type { Lane } from './placement.ts';
import type { Clock, Ids } from './ports.ts';
import { ReadyLanes } from './ready-lanes.ts';
import type { Arrivals, LeaseSlot, ReadyQueue, Reserved } from './ready-queue.ts';
import { type Logger, type Metrics, noLogger, noMetrics } from './telemetry.ts';
import type { ClaimRequest } from './use-cases.ts';

/** A job taken out of the line for a worker. Give it back or append its JobStarted. */
export interface Reservation extends Reserved {
  readonly leaseId: string;
}

export interface ClaimDispatcherDeps {
  readonly readyQueue: ReadyQueue;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}

interface Waiter {
  readonly request: ClaimRequest;
  /** Claims with the same filter are made together. */
  readonly filter: LaneFilter;
  readonly deadline: number;
  tried: boolean;
  /** Why its last look failed; undefined when it did not. */
  failure: unknown;
  readonly answer: PromiseWithResolvers<readonly Reservation[]>;
}

/** How long a lease lasts whose JobStarted is not in the log yet. */
export const RESERVATION_MS = 15_000;
/** How long to wait for jobs that other processes made ready. */
const POLL_MS = 20;
/** After a wake-up the rows may still be a commit away. */
const EAGER_MS = [1, 1, 2, 4, 8];
/** Arrivals are kept this long; who has not looked for half of it looks at everything. */
export const ARRIVALS_KEPT_MS = 60_000;
const RECHECK_MS = 1_500;
const REDISCOVER_MS = 60_000;
const RETRY_MS = 250;
const MAX_WAITERS = 10_000;
const MAX_SLOTS = 1_000;
const MAX_PASSES = 4;
const MANY_BLOCKED = 4;
const MAX_ASKED = 20_000;

/**
 * Serves all claims of a process: merges those that wait into few statements, remembers which lanes are empty, lets
 * tenants take turns. Does nothing while nobody waits.
 */
export class ClaimDispatcher {
  readonly #deps: ClaimDispatcherDeps;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #lanes = new ReadyLanes();
  readonly #waiters = new Set<Waiter>();
  #pumping = false;
  #ring: () => void = () => {};
  readonly #announced = new AnnouncedLanes();
  #eager = EAGER_MS.length;
  #block = 0;
  #epoch: string | undefined;
  #mustLook = true;
  #readAt = Number.NEGATIVE_INFINITY;
  #recheckedAt = 0;
  #discoveredAt = Number.NEGATIVE_INFINITY;

  constructor(deps: ClaimDispatcherDeps) {
    this.#deps = deps;
    this.#logger = deps.logger ?? noLogger;
    this.#metrics = deps.metrics ?? noMetrics;
  }

  /** Jobs became ready, or are about to with a commit. */
  wake(): void {
    this.#eager = 0;
    this.#mustLook = true;
    this.#ring();
  }

  /** These lanes get jobs with the next commit that placed() tells of. */
  announce(lanes: readonly Lane[]): void {
    this.#announced.announce(lanes);
  }

  /** Jobs in these lanes are committed; without: those that were announced. */
  placed(filled?: readonly Lane[]): void {
    const lanes = filled ? this.#announced.filled(filled) : this.#announced.placed();
    if (lanes === 'none') return;
    if (lanes === 'many') this.#mustLook = true;
    this.#ring();
  }

  /** Waits up to waitMs for at least one job. Empty when there was none, when too many wait, or once aborted; rejects
   * when the last look failed: whether there was one is not known. */
  reserve(request: ClaimRequest, signal?: AbortSignal): Promise<readonly Reservation[]> {
    if (signal?.aborted || this.#waiters.size >= MAX_WAITERS) return Promise.resolve([]);
    const answer = Promise.withResolvers<readonly Reservation[]>();
    const waiter: Waiter = {
      request,
      filter: laneFilter(request),
      deadline: performance.now() + request.waitMs,
      tried: false,
      failure: undefined,
      answer,
    };
    const leave = () => {
      if (this.#waiters.delete(waiter)) answer.resolve([]);
    };
    signal?.addEventListener('abort', leave, { once: true });
    this.#waiters.add(waiter);
    this.#metrics.gauge('claims_waiting', this.#waiters.size);
    if (request.waitMs === 0) this.#mustLook = true;
    this.#ring();
    if (!this.#pumping) void this.#pump();
    return answer.promise.finally(() => signal?.removeEventListener('abort', leave));
  }

  /** Puts reserved jobs back where they were; what fails comes back by itself when the reservation runs out. */
  async giveBack(reservations: readonly Reservation[]): Promise<void> {
    if (reservations.length === 0) return;
    const now = this.#deps.clock.now();
    const withdrawn = reservations.map((job) => ({ ...job, expiresAt: now + RESERVATION_MS }));
    try {
      await this.#deps.readyQueue.place(
        reservations.map((job) => ({ ...job, kind: 'ready' })),
        now,
        withdrawn,
      );
    } catch (error) {
      this.#logger.warn({ err: error, jobs: reservations.length }, 'reservations could not be given back');
    }
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    while (this.#waiters.size > 0) {
      try {
        const progress = await this.#round();
        this.#dismiss();
        if (!progress && this.#waiters.size > 0 && this.#announced.size === 0) await this.#idle();
      } catch (error) {
        this.#logger.warn({ err: error }, 'claiming failed; trying again');
        this.#metrics.count('claim_errors_total');
        this.#forget();
        for (const waiter of this.#waiters) Object.assign(waiter, { tried: true, failure: error });
        this.#dismiss();
        await this.#sleep(RETRY_MS);
      }
    }
    this.#pumping = false;
  }

  async #round(): Promise<boolean> {
    await this.#refresh();
    for (const lane of this.#announced.take()) this.#lanes.arrived(lane);
    const pools = Map.groupBy(this.#waiters, ({ filter }) => filter.pool);
    let progress = false;
    for (const waiters of pools.values()) progress = (await this.#serve(waiters)) || progress;
    return progress;
  }

  /** Claims for waiters with one filter; true when any of them got something. */
  async #serve(waiters: readonly Waiter[]): Promise<boolean> {
    const { readyQueue, clock } = this.#deps;
    const { filter } = waiters[0] ?? {};
    if (!filter) return false;
    const owners = dealSlots(waiters, MAX_SLOTS);
    const slots: LeaseSlot[] = owners.map(({ request }) => ({
      workerId: request.workerId,
      leaseId: this.#deps.ids.secret(),
    }));
    const leaseMs = Math.min(RESERVATION_MS, ...waiters.map(({ request }) => request.leaseMs));
    const taken = new Map<Waiter, Reservation[]>();
    let used = 0;
    try {
      for (let pass = 0; pass < MAX_PASSES && used < slots.length; pass += 1) {
        const now = clock.now();
        const takes = this.#lanes.choose(filter, slots.length - used, now);
        if (takes.length === 0) break;
        const { reserved, blocked } = await readyQueue.reserve(takes, slots.slice(used), now + leaseMs, now);
        this.#lanes.found(filter, takes, reserved, blocked, now);
        if (blocked.length >= MANY_BLOCKED) await this.#findHeld();
        for (const job of reserved) {
          const owner = owners[used + job.slot];
          const leaseId = slots[used + job.slot]?.leaseId;
          if (!owner || leaseId === undefined) continue;
          const list = taken.get(owner) ?? [];
          list.push({ ...job, leaseId });
          taken.set(owner, list);
        }
        used += reserved.length;
      }
      for (const waiter of waiters) waiter.failure = undefined;
    } finally {
      for (const waiter of waiters) waiter.tried = true;
      await this.#deliver(taken);
    }
    return used > 0;
  }

  /** Trying tenants that may get nothing one by one would take claim after claim. */
  async #findHeld(): Promise<void> {
    const now = this.#deps.clock.now();
    this.#lanes.held(await this.#deps.readyQueue.held(this.#lanes.claimable(MAX_ASKED), now), now);
  }

  async #deliver(taken: ReadonlyMap<Waiter, readonly Reservation[]>): Promise<void> {
    const orphans: Reservation[] = [];
    for (const [waiter, reservations] of taken) {
      if (this.#waiters.delete(waiter)) waiter.answer.resolve(reservations);
      else orphans.push(...reservations);
    }
    await this.giveBack(orphans);
  }

  /** Learns what became ready since the last look. */
  async #refresh(): Promise<void> {
    const now = performance.now();
    if (!this.#mustLook && now - this.#readAt < POLL_MS) return;
    const { readyQueue } = this.#deps;
    const outdated = now - this.#readAt > ARRIVALS_KEPT_MS / 2;
    let arrivals = outdated ? await readyQueue.lanes() : await readyQueue.arrivals(this.#block);
    if (arrivals.epoch !== this.#epoch && !outdated) arrivals = await readyQueue.lanes();
    this.#mustLook = arrivals.more;
    this.#readAt = now;
    this.#learn(arrivals, now);
    if (now - this.#discoveredAt > REDISCOVER_MS) void this.#rediscover(now);
    if (now - this.#recheckedAt < RECHECK_MS) return;
    this.#recheckedAt = now;
    this.#lanes.recheck();
  }

  #learn(arrivals: Arrivals, now: number): void {
    if (arrivals.whole) {
      this.#discoveredAt = now;
      this.#epoch = arrivals.epoch;
      this.#lanes.clear();
    }
    for (const weight of arrivals.weights) this.#lanes.weigh(weight);
    for (const lane of arrivals.lanes) this.#lanes.arrived(lane);
    for (const tenantId of arrivals.changedTenants) this.#lanes.unblock(tenantId);
    this.#block = arrivals.block;
    if (arrivals.lanes.length > 0) this.#eager = EAGER_MS.length;
  }

  /** In case a job was overlooked in spite of everything. Beside the claims: it may have to walk over much that is dead. */
  async #rediscover(now: number): Promise<void> {
    this.#discoveredAt = now;
    this.#lanes.forgetIdle();
    try {
      const { lanes, weights } = await this.#deps.readyQueue.lanes();
      for (const weight of weights) this.#lanes.weigh(weight);
      this.#lanes.rediscovered(lanes);
    } catch (error) {
      this.#logger.warn({ err: error }, 'looking for overlooked jobs failed');
    }
  }

  /** After an error nothing is known. */
  #forget(): void {
    this.#lanes.clear();
    this.#readAt = Number.NEGATIVE_INFINITY;
    this.#mustLook = true;
  }

  #dismiss(): void {
    const now = performance.now();
    for (const waiter of this.#waiters) {
      if (!waiter.tried || waiter.deadline > now) continue;
      this.#waiters.delete(waiter);
      if (waiter.failure === undefined) waiter.answer.resolve([]);
      else waiter.answer.reject(waiter.failure);
    }
  }

  async #idle(): Promise<void> {
    const now = performance.now();
    const eagerMs = EAGER_MS[this.#eager];
    this.#eager += 1;
    let ms = eagerMs ?? Math.min(POLL_MS, this.#readAt + POLL_MS - now);
    for (const { deadline } of this.#waiters) ms = Math.min(ms, deadline - now);
    await this.#sleep(Math.max(0, ms));
    if (eagerMs !== undefined) this.#mustLook = true;
  }

  async #sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#ring = resolve;
    await promise;
    clearTimeout(timer);
    this.#ring = () => {};
  }
}
