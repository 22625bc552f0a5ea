import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Asked, type RateBucket, takeFrom } from '../../src/domain/tenant-quota/rate-bucket.ts';

describe('a rate bucket', () => {
  const rate = fc.record({
    perSecond: fc.integer({ min: 1, max: 5_000 }),
    burst: fc.integer({ min: 1, max: 500 }),
  });
  const step = fc.record({
    wanted: fc.integer({ min: 1, max: 300 }),
    afterMs: fc.integer({ min: -50, max: 2_000 }),
  });

  it('never grants more than the burst and what has drained since, at any two moments', () => {
    fc.assert(
      fc.property(rate, fc.array(step, { minLength: 1, maxLength: 40 }), (asking, steps) => {
        let bucket: RateBucket | undefined;
        let now = 1_764_000_000_000;
        const grants: { at: number; granted: number }[] = [];
        for (const { wanted, afterMs } of steps) {
          now += afterMs;
          const asked: Asked = { ...asking, wanted, aheadMs: 0, whole: false };
          const { bucket: next, taken } = takeFrom(bucket, asked, now);
          bucket = next;
          grants.push({ at: next.drainedAt, granted: taken.granted });
        }
        grants.forEach((first, index) => {
          let sum = 0;
          for (const { at, granted } of grants.slice(index)) {
            sum += granted;
            const most = asking.burst + (asking.perSecond * (at - first.at)) / 1_000;
            expect(sum).toBeLessThanOrEqual(most + 0.01);
          }
        });
      }),
    );
  });

  it('holds nobody to what came under terms that were wider', () => {
    const wide: Asked = { perSecond: 1_000, burst: 1_000, wanted: 20_000, aheadMs: 3_600_000, whole: false };
    const now = 1_764_000_000_000;
    const { bucket } = takeFrom(undefined, wide, now);
    const narrow: Asked = { perSecond: 1, burst: 1, wanted: 1, aheadMs: 0, whole: false };
    expect(takeFrom(bucket, narrow, now).taken).toEqual({ granted: 0, firstDueInMs: 1_000 });
    expect(takeFrom(bucket, narrow, now + 1_000).taken.granted).toBe(1);
  });

  it('gives back a whole job after the time of a job', () => {
    const asked: Asked = { perSecond: 3, burst: 1, wanted: 1, aheadMs: 0, whole: false };
    let now = 1_764_000_000_000;
    let { bucket } = takeFrom(undefined, asked, now);
    for (let times = 0; times < 1_000; times += 1) {
      now += 1_000 / 3;
      const next = takeFrom(bucket, asked, now);
      expect(next.taken.granted).toBe(1);
      bucket = next.bucket;
    }
  });

  it('drains on when the clock has gone back by a day', () => {
    const asked: Asked = { perSecond: 1, burst: 1, wanted: 1, aheadMs: 0, whole: false };
    const now = 1_764_000_000_000;
    const full = takeFrom(undefined, asked, now + 86_400_000).bucket;
    const refused = takeFrom(full, asked, now);
    expect(refused.taken).toEqual({ granted: 0, firstDueInMs: 1_000 });
    expect(takeFrom(refused.bucket, asked, now + 1_000).taken.granted).toBe(1);
  });
});
