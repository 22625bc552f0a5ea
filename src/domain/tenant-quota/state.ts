import type { LimitName, QuotaTerms } from './limits.ts';

/** What a tenant uses and what it is held to, as after one event. Every event of its stream carries the whole of it. */
export interface TenantQuota {
  readonly terms: QuotaTerms;
  /** Reserved or created, and not known to be finished. */
  readonly unfinished: number;
  /** The UTC day that usedToday counts, as days since 1970. */
  readonly day: number;
  readonly usedToday: number;
  /** Accepted ahead for the day after `day` (onExceed delay). */
  readonly usedAhead: number;
  /** Position in the log up to which finished jobs are counted, as a decimal number; '0': none. */
  readonly settledThrough: string;
  readonly suspension?: Suspension | undefined;
  /** When QuotaExceeded was last written for a limit: the next one comes a minute later at the earliest. */
  readonly exceededAt: Readonly<Partial<Record<LimitName, number>>>;
}

export interface Suspension {
  /** claims: no attempt starts; all: nothing is enqueued either. Attempts that run may finish. */
  readonly mode: 'claims' | 'all';
  readonly reason: string;
  readonly since: number;
  /** Over by itself at this time, without an event; absent: until somebody resumes the tenant. */
  readonly until?: number | undefined;
}

export const isSuspended = (quota: TenantQuota, now: number): boolean =>
  quota.suspension !== undefined && (quota.suspension.until === undefined || now < quota.suspension.until);
