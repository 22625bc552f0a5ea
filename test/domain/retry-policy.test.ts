import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_RETRY,
  nextRetryAt,
  type RetryPolicy,
  retryDelayMs,
  STANDARD_STEPS_MS,
} from '../../src/domain/job/retry-policy.ts';

const attempts = [1, 2, 3, 4, 5, 6, 7];
const delays = (policy: RetryPolicy, jitter = 0) =>
  attempts.map((attempt) => retryDelayMs(policy, attempt, jitter));

describe('retry delays', () => {
  it('double from one second by default, at the upper end of the jitter', () => {
    const almostOne = 1 - Number.EPSILON;
    expect(delays(DEFAULT_RETRY, almostOne)).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 64_000]);
  });

  it('are halved at most by the jitter', () => {
    expect(delays(DEFAULT_RETRY, 0)).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 32_000]);
  });

  it('stay the same when fixed', () => {
    expect(delays({ kind: 'fixed', delayMs: 250 }, 0.9)).toEqual([250, 250, 250, 250, 250, 250, 250]);
  });

  it('follow the steps and repeat the last one', () => {
    expect(delays({ kind: 'steps', stepsMs: STANDARD_STEPS_MS }, 0.9)).toEqual([
      1000, 5000, 30_000, 120_000, 600_000, 600_000, 600_000,
    ]);
  });

  it('do not exist without a retry', () => {
    expect(delays({ kind: 'none' })).toEqual(attempts.map(() => undefined));
    expect(nextRetryAt({ kind: 'none' }, { attempt: 1, at: 5000, jitter: 0 })).toBeUndefined();
  });

  it('count from the failure', () => {
    expect(nextRetryAt({ kind: 'fixed', delayMs: 250 }, { attempt: 1, at: 5000, jitter: 0 })).toBe(5250);
  });

  it('are whole, never negative and never above the maximum, whatever the policy', () => {
    const policy = fc.record({
      kind: fc.constant('exponential' as const),
      baseMs: fc.nat(),
      factor: fc.double({ min: 1, max: 1e6, noNaN: true }),
      maxMs: fc.nat(),
    });
    const jitter = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(policy, fc.integer({ min: 1, max: 10_000 }), jitter, (exponential, attempt, drawn) => {
        const delay = retryDelayMs(exponential, attempt, drawn);
        expect(delay).toSatisfy(Number.isSafeInteger);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(exponential.maxMs);
      }),
    );
  });
});
