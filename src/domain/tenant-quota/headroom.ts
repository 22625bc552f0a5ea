import { startOfDay } from './day.ts';
import type { LimitName, QuotaTerms } from './limits.ts';
import { rateOf } from './rate-bucket.ts';
import type { TenantQuota } from './state.ts';

/** How many more jobs a tenant may have. */
export interface Headroom {
  /** Jobs that count for today. */
  readonly today: number;
  /** Jobs beyond those that are accepted for tomorrow. */
  readonly ahead: number;
}

const freeOf = (limit: number | null, used: number): number =>
  limit === null ? Number.POSITIVE_INFINITY : Math.max(0, limit - used);

/** Limits may have been lowered, and jobs come without reservation: what is used can be above them. */
export function headroomOf({ terms, unfinished, usedToday, usedAhead }: TenantQuota): Headroom {
  const { limits, onExceed } = terms;
  const slots = freeOf(limits.unfinishedJobs, unfinished);
  const today = Math.min(slots, freeOf(limits.jobsPerDay, usedToday));
  if (onExceed === 'reject' || today === slots) return { today, ahead: 0 };
  return { today, ahead: Math.min(slots - today, freeOf(limits.jobsPerDay, usedAhead)) };
}

export interface ReachedLimit {
  readonly limit: LimitName;
  readonly value: number;
  readonly used: number;
  /** When it counts from 0 again, milliseconds since 1970; absent: as jobs finish. */
  readonly resetAt?: number | undefined;
}

/** The limit that `wanted` more jobs would break; undefined when they fit. */
export function brokenLimit(quota: TenantQuota, wanted = 1): ReachedLimit | undefined {
  const { terms, unfinished, day, usedToday } = quota;
  const { unfinishedJobs, jobsPerDay } = terms.limits;
  if (unfinishedJobs !== null && unfinished + wanted > unfinishedJobs)
    return { limit: 'unfinishedJobs', value: unfinishedJobs, used: unfinished };
  const { today, ahead } = headroomOf(quota);
  if (jobsPerDay === null || wanted <= today + ahead) return undefined;
  return { limit: 'jobsPerDay', value: jobsPerDay, used: usedToday, resetAt: startOfDay(day + 1) };
}

/** The limit that never takes `jobs` at once, however little of it is used; undefined when they fit some day. */
export function limitOfBatches(
  { limits, onExceed }: QuotaTerms,
  jobs: number,
): Pick<ReachedLimit, 'limit' | 'value'> | undefined {
  const { unfinishedJobs, jobsPerDay } = limits;
  if (unfinishedJobs !== null && jobs > unfinishedJobs)
    return { limit: 'unfinishedJobs', value: unfinishedJobs };
  const days = onExceed === 'delay' ? 2 : 1;
  if (jobsPerDay !== null && jobs > jobsPerDay * days) return { limit: 'jobsPerDay', value: jobsPerDay };
  const rate = rateOf(limits);
  if (rate && onExceed === 'reject' && jobs > rate.burst) return { limit: 'enqueueBurst', value: rate.burst };
  return undefined;
}
