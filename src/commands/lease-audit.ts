import type { JobAddress } from '../domain/job/stream.ts';
import type { StoredLease } from './ready-queue.ts';

/** An attempt that the read model of jobs shows as running. */
export interface ShownAttempt extends JobAddress {
  readonly startRevision: number;
}

/**
 * Compares the leases with the read model of jobs and with what is counted of them. Either may be a moment behind, so
 * what differs is only a suspicion: the stream knows.
 */
export interface LeaseAudit {
  /** Attempts that run, by the read model, without a lease. */
  withoutLease(limit: number): Promise<readonly ShownAttempt[]>;
  /** Leases of jobs that do not run by the read model; only those that last longer. */
  withoutAttempt(expiringAfter: number, limit: number): Promise<readonly StoredLease[]>;
  /** Counts the leases of limited tenants and queues anew whose count was wrong; answers how many that were. */
  recount(now: number, limit: number): Promise<number>;
}
