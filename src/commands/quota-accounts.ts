import type { TenantQuota } from '../domain/tenant-quota/state.ts';

/** What a tenant's jobs did up to one position of the log, beside what its quota knows of it there. */
export interface QuotaAccount {
  readonly tenantId: string;
  /** Of the last event that was counted, as a decimal number. */
  readonly position: string;
  /** Its time by the log's clock. */
  readonly updatedAt: number;
  readonly quota: TenantQuota;
  readonly revision: number;
  /** Counted after `quota.settledThrough` and up to `position`. */
  readonly released: number;
  readonly adopted: number;
  readonly revived: number;
}

/** A slot that was reserved for a job. */
export interface ReservedSlot {
  readonly tenantId: string;
  readonly jobId: string;
  readonly reservationId: string;
}

export interface OverdueSlot extends ReservedSlot {
  /** Of the reservation, as a decimal number. */
  readonly position: string;
  readonly at: number;
}

/** The slots of one tenant that were still waiting for their jobs when the account was what it says. */
export interface AccountWithSlots {
  readonly account: QuotaAccount;
  readonly waiting: readonly ReservedSlot[];
}

/** What the quota-usage projection has counted; never ahead of the log. */
export interface QuotaAccounts {
  /** Accounts with something that the quota does not know yet, by tenant id, after the given one. */
  unsettled(afterTenant: string, limit: number): Promise<readonly QuotaAccount[]>;
  /** Slots reserved before a time whose job has not been seen, and which no relay is about to create; oldest first. */
  overdue(before: number, limit: number): Promise<readonly OverdueSlot[]>;
  /** Of these slots those that still wait, each tenant with its account at the very same position. */
  waiting(slots: readonly ReservedSlot[]): Promise<readonly AccountWithSlots[]>;
  /** Tenants with a quota that have used something of a UTC day (days since 1970) before this one. */
  withOlderDay(today: number, limit: number): Promise<readonly string[]>;
}
