import type { Lane } from './placement.ts';
import type { BlockedLane, Reserved, TenantTake } from './ready-queue.ts';

/** Which lanes a claim may take from. */
export interface LaneFilter {
  readonly tenants: ReadonlySet<string> | '*';
  readonly queues: ReadonlySet<string> | '*';
  readonly types: ReadonlySet<string> | '*';
}

interface KnownLane extends Lane {
  /** Looks begin after this place. */
  floor: number;
  /** The last place that a job was taken from. */
  last: number;
  /** `last` at the two rechecks before: what claims held that failed since lies above the older one. */
  readonly recheck: [number, number];
  /** `last` when idle lanes were forgotten before. */
  lastBefore: number;
  maybeReady: boolean;
  blockedUntil: number;
}

interface Tenant {
  readonly id: string;
  readonly lanes: Map<string, KnownLane>;
  /** Lanes that may have jobs, by ascending priority. */
  ready: KnownLane[];
}

const BUSY_MS = 20;
const PAUSED_MS = 1_000;

/**
 * What this process knows of the line: which lanes may have jobs, and from which place on. A guess that never hides a
 * job for longer than two rechecks. Tenants with ready lanes take turns: whoever got something goes to the end.
 */
export class ReadyLanes {
  readonly #tenants = new Map<string, Tenant>();
  /** In the order of their turns. */
  readonly #turns = new Map<string, Tenant>();
  readonly #weightOf: (tenantId: string) => number;

  constructor(weightOf: (tenantId: string) => number = () => 1) {
    this.#weightOf = weightOf;
  }

  clear(): void {
    this.#tenants.clear();
    this.#turns.clear();
  }

  arrived(lane: Lane): void {
    const tenant = this.#tenant(lane.tenantId);
    const known = this.#lane(tenant, lane);
    if (known.maybeReady) return;
    known.maybeReady = true;
    tenant.ready.push(known);
    tenant.ready.sort((a, b) => a.priority - b.priority);
    if (!this.#turns.has(tenant.id)) this.#turns.set(tenant.id, tenant);
  }

  /** The lane was seen to have jobs: if it was thought to be empty, they are below its floor. */
  rediscovered(lane: Lane): void {
    const known = this.#lane(this.#tenant(lane.tenantId), lane);
    if (known.maybeReady) return;
    known.floor = 0;
    this.arrived(lane);
  }

  unblock(tenantId: string): void {
    for (const lane of this.#tenants.get(tenantId)?.lanes.values() ?? []) lane.blockedUntil = 0;
  }

  /** What to try next for `wanted` jobs: whose turn it is, and how much each may take. */
  choose(filter: LaneFilter, wanted: number, now: number): readonly TenantTake[] {
    const chosen: { readonly tenant: Tenant; readonly lanes: readonly KnownLane[] }[] = [];
    for (const tenant of this.#turns.values()) {
      if (chosen.length >= wanted) break;
      if (filter.tenants !== '*' && !filter.tenants.has(tenant.id)) continue;
      const lanes = tenant.ready.filter((lane) => !isBlocked(lane, now) && accepts(filter, lane));
      if (lanes.length > 0) chosen.push({ tenant, lanes });
    }
    const weights = chosen.map(({ tenant }) => this.#weightOf(tenant.id));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let left = wanted;
    return chosen.map(({ tenant, lanes }, index) => {
      const share = Math.ceil((wanted * (weights[index] ?? 1)) / total);
      const quota = Math.max(1, Math.min(left - (chosen.length - index - 1), share));
      left -= quota;
      this.#turns.delete(tenant.id);
      this.#turns.set(tenant.id, tenant);
      return { quota, lanes };
    });
  }

  /** Learns from what a claim found: a tenant that got less than its quota has nothing more, but for blocked lanes. */
  found(
    takes: readonly TenantTake[],
    reserved: readonly Reserved[],
    blocked: readonly BlockedLane[],
    now: number,
  ): void {
    const got = new Map<string, number>();
    for (const job of reserved) {
      got.set(job.tenantId, (got.get(job.tenantId) ?? 0) + 1);
      const lane = this.#lane(this.#tenant(job.tenantId), job);
      // Claims take in order, so nothing is left before it.
      if (job.seq > lane.floor) lane.floor = job.seq;
      if (job.seq > lane.last) lane.last = job.seq;
    }
    for (const lane of blocked) {
      const known = this.#lane(this.#tenant(lane.tenantId), lane);
      known.blockedUntil = now + (lane.blocked === 'paused' ? PAUSED_MS : BUSY_MS);
    }
    for (const take of takes) {
      const tenantId = take.lanes[0]?.tenantId;
      const tenant = tenantId === undefined ? undefined : this.#tenants.get(tenantId);
      if (!tenant || (got.get(tenant.id) ?? 0) >= take.quota) continue;
      for (const lane of take.lanes) {
        const known = tenant.lanes.get(keyOf(lane));
        if (!known || isBlocked(known, now)) continue;
        known.maybeReady = false;
        known.floor = known.last;
      }
      this.#settle(tenant);
    }
  }

  /** Looks again at what was taken since two rechecks ago. Call it every one or two seconds. */
  recheck(): void {
    for (const tenant of this.#tenants.values()) {
      for (const lane of tenant.lanes.values()) {
        const [older, old] = lane.recheck;
        lane.recheck[0] = old;
        lane.recheck[1] = lane.last;
        if (older === lane.last) continue;
        lane.floor = Math.min(lane.floor, older);
        this.arrived(lane);
      }
    }
  }

  /** Forgets lanes from which nothing was taken since the call before; what arrives makes them known again. */
  forgetIdle(): void {
    for (const tenant of this.#tenants.values()) {
      for (const [key, lane] of tenant.lanes) {
        if (!lane.maybeReady && lane.lastBefore === lane.last) tenant.lanes.delete(key);
        lane.lastBefore = lane.last;
      }
      if (tenant.lanes.size === 0) this.#tenants.delete(tenant.id);
    }
  }

  #settle(tenant: Tenant): void {
    tenant.ready = tenant.ready.filter((lane) => lane.maybeReady);
    if (tenant.ready.length === 0) this.#turns.delete(tenant.id);
  }

  #tenant(id: string): Tenant {
    const known = this.#tenants.get(id);
    if (known) return known;
    const tenant: Tenant = { id, lanes: new Map(), ready: [] };
    this.#tenants.set(id, tenant);
    return tenant;
  }

  #lane(tenant: Tenant, lane: Lane): KnownLane {
    const key = keyOf(lane);
    const known = tenant.lanes.get(key);
    if (known) return known;
    const { tenantId, queue, type, priority } = lane;
    const fresh: KnownLane = {
      tenantId,
      queue,
      type,
      priority,
      floor: 0,
      last: 0,
      recheck: [0, 0],
      lastBefore: -1,
      maybeReady: false,
      blockedUntil: 0,
    };
    tenant.lanes.set(key, fresh);
    return fresh;
  }
}

/** Not for longer than lanes are ever blocked: the clock may have gone back. */
const isBlocked = ({ blockedUntil }: KnownLane, now: number): boolean =>
  blockedUntil > now && blockedUntil <= now + PAUSED_MS;

const keyOf = ({ queue, type, priority }: Lane): string => `${queue} ${type} ${priority}`;

const accepts = (filter: LaneFilter, lane: Lane): boolean =>
  (filter.queues === '*' || filter.queues.has(lane.queue)) &&
  (filter.types === '*' || filter.types.has(lane.type));
