import type { Clock } from '../../commands/ports.ts';
import type { RateBuckets } from '../../commands/rate-buckets.ts';
import { type RateBucket, takeFrom } from '../../domain/tenant-quota/rate-bucket.ts';

/** Of this process alone. */
export function createMemoryRateBuckets(clock: Clock): RateBuckets {
  const buckets = new Map<string, RateBucket>();
  return {
    async take(asked) {
      const { bucket, taken } = takeFrom(buckets.get(asked.tenantId), asked, clock.now());
      buckets.set(asked.tenantId, bucket);
      return taken;
    },
  };
}
