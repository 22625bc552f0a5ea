import { beginDay } from '../domain/tenant-quota/decide-jobs.ts';
import { brokenLimit } from '../domain/tenant-quota/headroom.ts';
import { mustReserve } from '../domain/tenant-quota/limits.ts';
import { rateOf } from '../domain/tenant-quota/rate-bucket.ts';
import { isSuspended, type TenantQuota } from '../domain/tenant-quota/state.ts';
import type { QuotaRefusal, Refused } from './use-cases.ts';

/** A job that is going to be created, if its tenant's quota lets it. */
export interface Candidate {
  readonly jobId: string;
  readonly payload: string;
}

/** What a job is created with. */
export interface Admitted {
  readonly kind: 'admitted';
  /** Goes into JobEnqueued; absent: the tenant's terms need no reservation. */
  readonly reservationId?: string | undefined;
  /** Not before this time, milliseconds since 1970: the job was put off. */
  readonly runAt?: number | undefined;
}

export type Admission = Admitted | Refused;

export interface AdmissionOptions {
  /** All of them, or none. Default: each for itself. */
  readonly whole?: boolean | undefined;
  /** false: only look whether there are slots; such jobs are counted when they appear. Default true. */
  readonly reserve?: boolean | undefined;
}

export const ADMITTED: Admitted = { kind: 'admitted' };

/** Whether the tenant's quota has any say in what is enqueued. */
export const hasASay = ({ terms, suspension }: TenantQuota): boolean =>
  mustReserve(terms) ||
  rateOf(terms.limits) !== undefined ||
  terms.limits.payloadBytes !== null ||
  suspension?.mode === 'all';

export const isClosed = (quota: TenantQuota, now: number): boolean =>
  quota.suspension?.mode === 'all' && isSuspended(quota, now);

export const suspended = ({ suspension }: TenantQuota): Refused => ({
  kind: 'refused',
  reason: 'tenant_suspended',
  suspension: suspension && { reason: suspension.reason, until: suspension.until },
});

export const exceeded = (quota: QuotaRefusal): Refused => ({
  kind: 'refused',
  reason: 'quota_exceeded',
  quota,
});

/** Slots come free as jobs finish, at any moment. */
const ASK_AGAIN_MS = 1_000;

/** Why `wanted` more jobs do not fit; undefined when they do. */
export function quotaRefusal(quota: TenantQuota, wanted: number, now: number): QuotaRefusal | undefined {
  const broken = brokenLimit(beginDay(quota, now).current, wanted);
  if (!broken) return undefined;
  const { resetAt } = broken;
  return { ...broken, retryAfterMs: resetAt === undefined ? ASK_AGAIN_MS : Math.max(0, resetAt - now) };
}
