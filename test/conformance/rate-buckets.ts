import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RateBuckets } from '../../src/commands/rate-buckets.ts';

export interface BucketsUnderTest extends AsyncDisposable {
  /** As a process of its own has them. */
  open(): RateBuckets;
}

/** So slow that nothing drains while a test runs. */
const SLOW = { perSecond: 0.000_1, burst: 100, aheadMs: 0, whole: false } as const;

/** What rate buckets must do, wherever they are kept. */
export function exerciseRateBuckets(name: string, make: () => Promise<BucketsUnderTest>): void {
  describe(`rate buckets: ${name}`, () => {
    let subject: BucketsUnderTest;
    let buckets: RateBuckets;
    beforeEach(async () => {
      subject = await make();
      buckets = subject.open();
    });
    afterEach(async () => {
      await subject[Symbol.asyncDispose]();
    });

    it('grant a burst and no more', async () => {
      const take = async (wanted: number) =>
        (await buckets.take({ tenantId: 'acme', ...SLOW, wanted })).granted;
      expect([await take(60), await take(60), await take(1)]).toEqual([60, 40, 0]);
    });

    it('are one for each tenant', async () => {
      const asked = { ...SLOW, wanted: 100 };
      const taken = await Promise.all(
        ['a', 'b', 'c'].map((tenantId) => buckets.take({ tenantId, ...asked })),
      );
      expect(taken.map(({ granted }) => granted)).toEqual([100, 100, 100]);
    });

    it('grant all or none when so asked', async () => {
      const take = async (wanted: number) =>
        (await buckets.take({ tenantId: 'acme', ...SLOW, whole: true, wanted })).granted;
      expect([await take(60), await take(60), await take(40)]).toEqual([60, 0, 40]);
    });

    it('grant exactly the burst to three processes that race for it', async () => {
      const processes = [subject.open(), subject.open(), subject.open()];
      const tenants = ['a', 'b', 'c', 'd'];
      const taken = await Promise.all(
        Array.from({ length: 240 }, async (_, index) => {
          const tenantId = tenants[index % 4] ?? 'a';
          const asked = { tenantId, ...SLOW, wanted: 1 + (index % 7) };
          return { tenantId, granted: (await processes[index % 3]?.take(asked))?.granted ?? 0 };
        }),
      );
      for (const tenant of tenants) {
        const own = taken.filter(({ tenantId }) => tenantId === tenant);
        expect(own.reduce((sum, { granted }) => sum + granted, 0)).toBe(100);
      }
    });

    it('put off what does not fit, each a little later, as far ahead as is asked', async () => {
      const asked = { tenantId: 'acme', perSecond: 10, burst: 1, whole: false, aheadMs: 1_000 } as const;
      const { granted, firstDueInMs } = await buckets.take({ ...asked, wanted: 50 });
      expect(granted).toBe(11);
      expect(firstDueInMs).toBe(0);
    });

    it('hold nobody to what came under terms that were wider', async () => {
      const wide = { perSecond: 1_000, burst: 1_000, whole: false, aheadMs: 3_600_000 } as const;
      await buckets.take({ tenantId: 'acme', ...wide, wanted: 20_000 });
      const narrow = { perSecond: 0.001, burst: 1, whole: false, aheadMs: 0 } as const;
      const { granted, firstDueInMs } = await buckets.take({ tenantId: 'acme', ...narrow, wanted: 1 });
      expect(granted).toBe(0);
      expect(firstDueInMs).toBeLessThanOrEqual(1_000_000);
    });
  });
}
