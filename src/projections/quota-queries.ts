import type { LimitName, QuotaTerms } from '../domain/tenant-quota/limits.ts';
import type { TenantQuota } from '../domain/tenant-quota/state.ts';
import type { Page, PageRequest } from './queries.ts';

/** What a tenant uses, as the read models show it: within a second of the log. Times are milliseconds since 1970. */
export interface TenantUsage {
  readonly tenantId: string;
  /** What its latest quota event left; null: nobody has set anything for it. */
  readonly quota: TenantQuota | null;
  /** Of that event in the tenant's quota stream; null as above. */
  readonly revision: number | null;
  /** Jobs not finished, reservations included; ahead of `quota.unfinished` by what is not settled yet. */
  readonly unfinished: number;
  /** Of these, reserved and not created yet. */
  readonly reserved: number;
  readonly running: number;
  /** Jobs enqueued since the last UTC midnight. */
  readonly usedToday: number;
  /** Accepted for the day after (onExceed delay). */
  readonly usedAhead: number;
  /** The next UTC midnight. */
  readonly resetAt: number;
  /** Whether it is now: a suspension with an end is over by itself. */
  readonly suspended: boolean;
  /** Position and time of the last event that counts. */
  readonly position: string;
  readonly updatedAt: number;
}

export interface TenantFilter {
  /** Tenants whose terms come from this plan. */
  readonly plan?: string | undefined;
  /** Tenants that are suspended now, or are not. */
  readonly suspended?: boolean | undefined;
}

/** What one line of a tenant's ledger says happened. */
export type QuotaHistoryChange =
  | {
      readonly kind: 'initialized' | 'limits_changed';
      readonly details: { readonly terms: QuotaTerms; readonly reason: string | null };
    }
  /** All that was reserved and settled in one minute, as one line. Kept for 30 days. */
  | {
      readonly kind: 'usage';
      readonly details: {
        readonly reserved: number;
        /** Of the reserved, how many count for the day after. */
        readonly ahead: number;
        /** Slots freed: finished, voided or reserved twice. */
        readonly released: number;
        /** Jobs that came without a reservation. */
        readonly adopted: number;
        /** Finished jobs that a person brought back. */
        readonly revived: number;
      };
    }
  /** Refusals: the first of a while, then one line a minute. */
  | {
      readonly kind: 'exceeded';
      readonly details: {
        readonly limit: LimitName;
        readonly value: number;
        readonly used: number;
        /** Jobs refused or put off since the line before it. */
        readonly refused: number;
        readonly resetAt: number | null;
      };
    }
  | {
      readonly kind: 'reset';
      readonly details: {
        readonly by: 'day' | 'person';
        readonly used: number;
        readonly reason: string | null;
      };
    }
  | {
      readonly kind: 'suspended';
      readonly details: {
        readonly mode: 'claims' | 'all';
        readonly reason: string;
        readonly until: number | null;
      };
    }
  | { readonly kind: 'resumed'; readonly details: { readonly reason: string | null } };

/** A line of a tenant's ledger. */
export type QuotaHistoryRow = {
  readonly tenantId: string;
  /** When it happened; of a minute's usage, when the last of it did. */
  readonly at: number;
  /** Of the event, or the last one of the minute. */
  readonly position: string;
  /** Who did it. */
  readonly actor: string;
  /** The tenant after it: terms, what was used, suspension. */
  readonly quota: TenantQuota;
} & QuotaHistoryChange;

export interface QuotaHistoryRange extends PageRequest {
  /** Inclusive. */
  readonly from?: number | undefined;
  /** Exclusive. */
  readonly to?: number | undefined;
}

export interface QuotaQueries {
  /** undefined: nothing was ever enqueued or set for this tenant. */
  usageOf(tenantId: string): Promise<TenantUsage | undefined>;
  /** By id, ascending: `nextCursor` leads to greater ids. All tenants, so only for callers who may see them. */
  listTenants(filter: TenantFilter, page: PageRequest): Promise<Page<TenantUsage>>;
  /** The ledger, newest first; minutes of use are kept for 30 days, all else for 400. Tenants without a quota have none. */
  quotaHistory(tenantId: string, range: QuotaHistoryRange): Promise<Page<QuotaHistoryRow>>;
  /**
   * The last line of the ledger at or before a time: what the balance was then. Minutes count once their last event has
   * happened, so it is at most a minute old. undefined: no line is that old.
   */
  balanceAt(tenantId: string, at: number): Promise<QuotaHistoryRow | undefined>;
}
