import type { Asked, Taken } from '../domain/tenant-quota/rate-bucket.ts';

export interface AskedOfTenant extends Asked {
  readonly tenantId: string;
}

/**
 * One bucket for each tenant, shared by all processes: together they never grant more than the rate and the burst.
 * Forgetting one, as in a crash, makes it empty.
 */
export interface RateBuckets {
  take(asked: AskedOfTenant): Promise<Taken>;
}
