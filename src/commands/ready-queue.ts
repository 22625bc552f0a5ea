import type { JobAddress } from '../domain/job/stream.ts';
import type { Queue } from '../domain/queue/state.ts';
import type { QueueAddress } from '../domain/queue/stream.ts';
import type { TenantQuota } from '../domain/tenant-quota/state.ts';
import type { Known } from './handle.ts';
import type { Lane, Placement } from './placement.ts';
import type { Position } from './ports.ts';

export interface LaneToClaim extends Lane {
  /** Places up to this one are known to be empty. */
  readonly floor: number;
}

/** What one tenant may get out of one claim. */
export interface TenantTake {
  readonly quota: number;
  /** Of one tenant, by ascending priority. */
  readonly lanes: readonly LaneToClaim[];
}

export interface LeaseSlot {
  readonly workerId: string;
  readonly leaseId: string;
}

/** A ready job taken out of the line, leased for the short time until its JobStarted is in the log. */
export interface Reserved extends Lane, JobAddress {
  /** Index of the slot it went to. */
  readonly slot: number;
  readonly seq: number;
  /** Of its stream when it became ready. */
  readonly revision: number;
  readonly snapshot?: string | undefined;
}

/** What may hold more jobs than it may give. */
export interface Blocked {
  readonly tenantId: string;
  /** Absent: all lanes of the tenant. */
  readonly lane?: Lane | undefined;
  /** full: as many attempts run as its limit allows, with those that it was granted now. */
  readonly reason: 'paused' | 'suspended' | 'full';
  /** How many jobs it could give; if it gave fewer, it had no more. */
  readonly granted: number;
  /** When it is over by itself; absent: when the tenant is among the changed ones. */
  readonly until?: number | undefined;
}

export interface TenantWeight {
  readonly tenantId: string;
  readonly weight: number;
}

export interface Arrivals {
  /** Changes when the tables were emptied. */
  readonly epoch: string | undefined;
  /** Where to go on. */
  readonly block: number;
  readonly lanes: readonly Lane[];
  /** All lanes there are, not just those that got something. */
  readonly whole: boolean;
  /** More is there already. */
  readonly more: boolean;
  /** Tenants whose settings changed, or that have free slots again. */
  readonly changedTenants: readonly string[];
  /** Those that changed; with `whole` all that are not 1. */
  readonly weights: readonly TenantWeight[];
}

export interface LeaseKey extends JobAddress {
  readonly leaseId: string;
}

export interface StoredLease extends LeaseKey {
  readonly expiresAt: number;
  readonly settled: boolean;
}

export interface DueTimer extends JobAddress {
  readonly kind: 'attempt_timeout' | 'deadline' | 'cancel_grace' | 'reconcile';
  readonly leaseId: string | undefined;
}

export type WorkerDirective = 'run' | 'quiet' | 'terminate';

export interface WorkerRow {
  readonly tenantId: string;
  readonly workerId: string;
  readonly lastSeenAt: number;
  readonly directive: WorkerDirective;
}

/** What claims honour of a queue from a revision of its stream on. */
export type QueueSettings = QueueAddress & Known<Queue>;

/** What claims honour of a tenant from a revision of its quota stream on. */
export type TenantSettings = Known<TenantQuota> & { readonly tenantId: string };

/**
 * The dispatch tables: jobs that may run now, leases, timers. They follow from the log and decide nothing; every method
 * may be repeated. Times in milliseconds since 1970.
 */
export interface ReadyQueue {
  /** Lanes that got jobs after a block. */
  arrivals(afterBlock: number): Promise<Arrivals>;
  /** All lanes with ready jobs, and the block to go on after. */
  lanes(): Promise<Arrivals>;
  /** Takes ready jobs, at most one for each slot, in the order of the slots. */
  reserve(
    takes: readonly TenantTake[],
    slots: readonly LeaseSlot[],
    leaseExpiresAt: number,
    now: number,
  ): Promise<{ readonly reserved: readonly Reserved[]; readonly blocked: readonly Blocked[] }>;
  /** Which of the tenants may get nothing now. */
  held(tenantIds: readonly string[], now: number): Promise<readonly Blocked[]>;
  /** Puts jobs where they belong. `withdrawn` leases go first, unless they were extended past the given expiry. */
  place(
    placements: readonly Placement[],
    now: number,
    withdrawn?: readonly (LeaseKey & { readonly expiresAt: number })[],
  ): Promise<void>;
  /** The position in the log up to which all jobs are placed; undefined while the tables are being filled anew. */
  placedThrough(): Promise<Position | undefined>;
  /** Places unless the line is being filled anew: nothing is known of it then. True when it did. */
  overtake(placements: readonly Placement[], now: number): Promise<boolean>;
  /**
   * When it resolves, no claim goes by what was before, in any process. Settings of a later revision stay. Not bound to the
   * line: they hold while it is filled anew, too.
   */
  setQueue(settings: QueueSettings, now: number): Promise<void>;
  /** The same for a tenant. */
  setTenant(settings: TenantSettings, now: number): Promise<void>;
  /** Moves jobs due after `after` up to `now` to the line; answers how many. */
  fireReadyTimers(now: number, after: number, limit: number): Promise<number>;
  /** Timers that ask for a command. Each comes again at `again` unless its job's events remove it. */
  takeDueTimers(now: number, after: number, again: number, limit: number): Promise<readonly DueTimer[]>;
  /** Outcomes in the order of the leases; undefined where no settled lease is, or somebody else is changing it now. */
  extendLeases(
    leases: readonly LeaseKey[],
    until: number,
  ): Promise<readonly ('extended' | 'cancel_requested' | 'ending' | undefined)[]>;
  /** Leases that ran out after `after` up to `now`, longest ago first. */
  expiredLeases(now: number, after: number, limit: number): Promise<readonly StoredLease[]>;
  /** From now on these can't be extended; answers those that had really run out. */
  endLeases(leases: readonly LeaseKey[], now: number): Promise<readonly LeaseKey[]>;
  /** Gives every lease at least until then. */
  prolongAll(until: number): Promise<void>;
  /** Forgets arrivals from before. */
  pruneArrivals(before: number): Promise<void>;
  /** Notes that the worker is there; answers what it is told to do. `scopes`: tenants, or '*'. */
  sawWorker(scopes: readonly string[], workerId: string, now: number): Promise<WorkerDirective>;
  /** False when no such worker was seen. */
  directWorker(tenantId: string, workerId: string, directive: WorkerDirective): Promise<boolean>;
  /** Forgets workers not seen since, but for those that are told something. */
  forgetWorkers(before: number): Promise<void>;
  listWorkers(tenantId: string, seenAfter: number): Promise<readonly WorkerRow[]>;
}
