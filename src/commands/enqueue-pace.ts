import { dueInMs, type Rate } from '../domain/tenant-quota/rate-bucket.ts';
import type { RateBuckets } from './rate-buckets.ts';
import type { QuotaRefusal } from './use-cases.ts';

/** How far ahead jobs above the rate are put off. */
const MAX_DELAY_MS = 3_600_000;

/** The first `granted` of the jobs are within the rate. */
export interface Pace {
  readonly granted: number;
  /** When job number `index` is due, from now; 0: now. */
  dueInMs(index: number): number;
  /** What puts jobs off. */
  readonly limit: QuotaRefusal;
  /** Why job number `index` is not, and when it would be if those before it were sent as they fit; absent: all are. */
  readonly refusal?: ((index: number) => QuotaRefusal) | undefined;
}

/** Takes as much of the tenant's rate as there is. `delay`: what is above it is put off rather than refused. */
export async function takePace(
  buckets: RateBuckets,
  tenantId: string,
  rate: Rate,
  {
    wanted,
    whole,
    delay,
    now,
  }: { readonly wanted: number; readonly whole: boolean; readonly delay: boolean; readonly now: number },
): Promise<Pace> {
  const aheadMs = delay ? MAX_DELAY_MS : 0;
  const taken = await buckets.take({ tenantId, ...rate, wanted, whole, aheadMs });
  const { granted } = taken;
  const limit = { limit: 'enqueuesPerSecond', value: rate.perSecond, used: rate.perSecond } as const;
  const due = (index: number): number => dueInMs(taken, rate, index);
  if (granted === wanted) return { granted, limit, dueInMs: due };
  const refusal = (index: number): QuotaRefusal => {
    const retryAfterMs = Math.max(1, due(whole ? wanted - 1 : index) - aheadMs);
    return { ...limit, resetAt: now + retryAfterMs, retryAfterMs };
  };
  return { granted, limit, dueInMs: due, refusal };
}
