import { accepts, type LaneFilter } from './lane-filter.ts';
import type { Lane } from './placement.ts';
import type { Blocked, Reserved, TenantTake, TenantWeight } from './ready-queue.ts';
import { Turns } from './turns.ts';

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
  /** No job was seen in it since idle lanes were forgotten. */
  doubted: boolean;
  blockedUntil: number;
}

interface Tenant {
  readonly id: string;
  readonly lanes: Map<string, KnownLane>;
  /** Lanes that may have jobs, by ascending priority. */
  ready: KnownLane[];
  /** All of them. */
  blockedUntil: number;
}

/** Changes and free slots are told; this long only if that was overlooked. */
const BLOCKED_MS = 30_000;
/** Their turns are kept for the pools used last. */
const MAX_POOLS = 200;

/**
 * What this process knows of the line: which lanes may have jobs, and from which place on. A guess that never hides a
 * job for longer than two rechecks. Tenants with ready lanes take turns; those that may not take any are put aside, so
 * that they cost a claim nothing.
 */
export class ReadyLanes {
  readonly #tenants = new Map<string, Tenant>();
  /** Have ready lanes, and none of those put aside. */
  readonly #claimable = new Map<string, Tenant>();
  /** Have ready lanes, all blocked; until when. */
  readonly #aside = new Map<string, number>();
  #asideUntil = Number.POSITIVE_INFINITY;
  /** Those that are not 1. */
  readonly #weights = new Map<string, number>();
  readonly #turns = new Map<string, Turns>();

  /** Forgets everything but whose turn it is. */
  clear(): void {
    this.#tenants.clear();
    this.#claimable.clear();
    this.#aside.clear();
    this.#weights.clear();
  }

  weigh({ tenantId, weight }: TenantWeight): void {
    if (weight === 1) this.#weights.delete(tenantId);
    else this.#weights.set(tenantId, weight);
  }

  arrived(lane: Lane): void {
    const tenant = this.#tenant(lane.tenantId);
    const known = this.#lane(tenant, lane);
    known.doubted = false;
    if (known.maybeReady) return;
    known.maybeReady = true;
    const place = tenant.ready.findLastIndex(({ priority }) => priority <= known.priority) + 1;
    tenant.ready.splice(place, 0, known);
    if (tenant.blockedUntil === 0) this.#bringBack(tenant);
    else if (!this.#aside.has(tenant.id)) this.#claimable.set(tenant.id, tenant);
  }

  /** All lanes with jobs, seen since forgetIdle. In those that were thought to be empty, they are below the floor. */
  rediscovered(lanes: readonly Lane[]): void {
    for (const lane of lanes) {
      const known = this.#lane(this.#tenant(lane.tenantId), lane);
      if (!known.maybeReady) known.floor = 0;
      this.arrived(lane);
    }
    this.#forgetDoubted();
  }

  /** Settings of the tenant changed, or slots are free. */
  unblock(tenantId: string): void {
    const tenant = this.#tenants.get(tenantId);
    if (!tenant) return;
    for (const lane of tenant.ready) lane.blockedUntil = 0;
    this.#bringBack(tenant);
  }

  /** What to try next for `wanted` jobs, and how much each tenant may take. */
  choose(filter: LaneFilter, wanted: number, now: number): readonly TenantTake[] {
    this.#bringBackDue(now);
    const able = new Map<string, Tenant>();
    for (const tenant of this.#candidates(filter)) {
      const until = blockedUntil(tenant, now);
      if (until > now) this.#putAside(tenant, until, now);
      else if (tenant.ready.some((lane) => isOpen(lane, now) && accepts(filter, lane)))
        able.set(tenant.id, tenant);
    }
    const dealt = this.#turnsOf(filter.pool).deal(able, wanted, (id) => this.#weightOf(id));
    const takes: TenantTake[] = [];
    for (const [tenantId, quota] of dealt) {
      const ready = able.get(tenantId)?.ready ?? [];
      takes.push({ quota, lanes: ready.filter((lane) => isOpen(lane, now) && accepts(filter, lane)) });
    }
    return takes;
  }

  /** Learns from what a claim found: a tenant that got less than its quota has nothing more, but for what is blocked. */
  found(
    filter: LaneFilter,
    takes: readonly TenantTake[],
    reserved: readonly Reserved[],
    blocked: readonly Blocked[],
    now: number,
  ): void {
    const gotByTenant = new Map<string, number>();
    const gotByLane = new Map<KnownLane, number>();
    for (const job of reserved) {
      const lane = this.#lane(this.#tenant(job.tenantId), job);
      gotByTenant.set(job.tenantId, (gotByTenant.get(job.tenantId) ?? 0) + 1);
      gotByLane.set(lane, (gotByLane.get(lane) ?? 0) + 1);
      // Claims take in order, so nothing is left before it.
      if (job.seq > lane.floor) lane.floor = job.seq;
      if (job.seq > lane.last) lane.last = job.seq;
    }
    for (const { tenantId, lane, granted, until = Number.POSITIVE_INFINITY } of blocked) {
      const tenant = this.#tenant(tenantId);
      const blockedUntil = Math.min(until, now + BLOCKED_MS);
      const known = lane && this.#lane(tenant, lane);
      const got = known ? gotByLane.get(known) : gotByTenant.get(tenantId);
      if ((got ?? 0) >= granted) (known ?? tenant).blockedUntil = blockedUntil;
    }
    const turns = this.#turnsOf(filter.pool);
    for (const { quota, lanes } of takes) {
      const tenantId = lanes[0]?.tenantId ?? '';
      const tenant = this.#tenants.get(tenantId);
      const missing = quota - (gotByTenant.get(tenantId) ?? 0);
      if (!tenant || missing <= 0) continue;
      turns.giveBack(tenantId, missing, this.#weightOf(tenantId));
      if (tenant.blockedUntil <= now) this.#emptied(tenant, lanes, now);
    }
  }

  /** Those that a claim may try, at most so many. */
  claimable(limit: number): readonly string[] {
    return [...this.#claimable.keys()].slice(0, limit);
  }

  /** These may get nothing now. */
  held(blocked: readonly Blocked[], now: number): void {
    for (const { tenantId, until = Number.POSITIVE_INFINITY } of blocked) {
      const tenant = this.#tenants.get(tenantId);
      if (tenant) tenant.blockedUntil = Math.min(until, now + BLOCKED_MS);
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

  /** Forgets lanes from which nothing was taken since the call before; what arrives makes them known again. Doubts the others. */
  forgetIdle(): void {
    for (const tenant of this.#tenants.values()) {
      for (const [key, lane] of tenant.lanes) {
        if (!lane.maybeReady && lane.lastBefore === lane.last) tenant.lanes.delete(key);
        lane.lastBefore = lane.last;
        lane.doubted = true;
      }
      if (tenant.lanes.size === 0) this.#tenants.delete(tenant.id);
    }
  }

  /** Others took what was in these lanes; nobody here may ever ask for it. */
  #forgetDoubted(): void {
    for (const tenant of this.#tenants.values()) {
      for (const lane of tenant.ready) if (lane.doubted) tenant.lanes.delete(keyOf(lane));
      tenant.ready = tenant.ready.filter((lane) => !lane.doubted);
      if (tenant.ready.length === 0) this.#claimable.delete(tenant.id);
      if (tenant.lanes.size === 0) this.#tenants.delete(tenant.id);
    }
  }

  #candidates({ tenants }: LaneFilter): readonly Tenant[] {
    if (tenants === '*') return [...this.#claimable.values()];
    const asked = [...tenants].map((tenantId) => this.#claimable.get(tenantId));
    return asked.filter((tenant) => tenant !== undefined);
  }

  #emptied(tenant: Tenant, lanes: TenantTake['lanes'], now: number): void {
    for (const lane of lanes) {
      const known = tenant.lanes.get(keyOf(lane));
      if (!known || !isOpen(known, now)) continue;
      known.maybeReady = false;
      known.floor = known.last;
    }
    tenant.ready = tenant.ready.filter((lane) => lane.maybeReady);
    if (tenant.ready.length === 0) this.#claimable.delete(tenant.id);
  }

  #putAside(tenant: Tenant, until: number, now: number): void {
    if (isOpen(tenant, now)) tenant.blockedUntil = 0;
    this.#claimable.delete(tenant.id);
    this.#aside.set(tenant.id, until);
    this.#asideUntil = Math.min(this.#asideUntil, until);
  }

  #bringBack(tenant: Tenant): void {
    tenant.blockedUntil = 0;
    this.#aside.delete(tenant.id);
    if (tenant.ready.length > 0) this.#claimable.set(tenant.id, tenant);
  }

  /** Not later than tenants are ever put aside for: the clock may have gone back. */
  #bringBackDue(now: number): void {
    if (now < this.#asideUntil && now + BLOCKED_MS >= this.#asideUntil) return;
    this.#asideUntil = Number.POSITIVE_INFINITY;
    for (const [tenantId, until] of this.#aside) {
      const tenant = this.#tenants.get(tenantId);
      if (until > now && until <= now + BLOCKED_MS) this.#asideUntil = Math.min(this.#asideUntil, until);
      else if (tenant) this.#bringBack(tenant);
    }
  }

  #turnsOf(pool: string): Turns {
    const turns = this.#turns.get(pool) ?? new Turns();
    this.#turns.delete(pool);
    this.#turns.set(pool, turns);
    for (const oldest of this.#turns.keys()) {
      if (this.#turns.size <= MAX_POOLS) break;
      this.#turns.delete(oldest);
    }
    return turns;
  }

  #weightOf(tenantId: string): number {
    return this.#weights.get(tenantId) ?? 1;
  }

  #tenant(id: string): Tenant {
    const known = this.#tenants.get(id);
    if (known) return known;
    const tenant: Tenant = { id, lanes: new Map(), ready: [], blockedUntil: 0 };
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
      doubted: false,
      blockedUntil: 0,
    };
    tenant.lanes.set(key, fresh);
    return fresh;
  }
}

/** When something of the tenant may be claimed again; not after `now` if something may be now. */
function blockedUntil(tenant: Tenant, now: number): number {
  if (!isOpen(tenant, now)) return tenant.blockedUntil;
  let until = Number.POSITIVE_INFINITY;
  for (const lane of tenant.ready) {
    if (isOpen(lane, now)) return 0;
    until = Math.min(until, lane.blockedUntil);
  }
  return until;
}

/** Not for longer than anything is ever blocked: the clock may have gone back. */
const isOpen = ({ blockedUntil }: Pick<KnownLane, 'blockedUntil'>, now: number): boolean =>
  blockedUntil <= now || blockedUntil > now + BLOCKED_MS;

const keyOf = ({ queue, type, priority }: Lane): string => `${queue} ${type} ${priority}`;
