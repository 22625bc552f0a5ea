import { describe, expect } from 'vitest';
import { caller, jobRequest } from '../support/caller.ts';
import { gateTest } from '../support/gate-test.ts';
import { created, gated, type LogForGates, quotaEvents } from '../support/gated.ts';
import { NOON, termsOf } from '../support/quota-states.ts';

/** What the rate lets in, and what fits at once. */
export function exerciseRate(name: string, make: () => Promise<LogForGates>): void {
  describe(`the rate at the quota gate over ${name}`, () => {
    const it = gateTest(make);

    it('refuses what is above the rate and says of each job when to come back', async ({ log, clock }) => {
      const { enqueue, setTerms } = gated(log, clock);
      await setTerms(termsOf({ enqueuesPerSecond: 4, enqueueBurst: 2 }));
      const refused = (retryAfterMs: number) => ({
        kind: 'refused',
        reason: 'quota_exceeded',
        quota: { limit: 'enqueuesPerSecond', value: 4, retryAfterMs, resetAt: NOON + retryAfterMs },
      });
      expect(await enqueue(4)).toMatchObject([
        { kind: 'created' },
        { kind: 'created' },
        refused(250),
        refused(500),
      ]);
      clock.pass(250);
      expect(created(await enqueue(2))).toHaveLength(1);
      expect(await quotaEvents(log, 'QuotaReserved')).toEqual([]);
    });

    it('says when all of an atomic batch are within the rate', async ({ log, clock }) => {
      const { enqueue, enqueueJobs, setTerms } = gated(log, clock);
      await setTerms(termsOf({ enqueuesPerSecond: 4, enqueueBurst: 2 }));
      await enqueue(2);
      const batch = () => enqueueJobs(caller(), [jobRequest(), jobRequest()], { atomic: true });
      const refused = { reason: 'quota_exceeded', quota: { retryAfterMs: 500 } };
      expect(await batch()).toMatchObject([refused, refused]);
      clock.pass(500);
      expect(created(await batch())).toHaveLength(2);
    });

    it.for([
      [
        { enqueuesPerSecond: 4, enqueueBurst: 2 },
        { limit: 'enqueueBurst', value: 2 },
      ],
      [{ enqueuesPerSecond: 2 }, { limit: 'enqueueBurst', value: 2 }],
      [{ unfinishedJobs: 2 }, { limit: 'unfinishedJobs', value: 2 }],
      [{ jobsPerDay: 1 }, { limit: 'jobsPerDay', value: 1 }],
    ] as const)(
      'tells an atomic batch that never fits %o from one that does not fit now',
      async ([limits, quota], { log, clock }) => {
        const { enqueue, enqueueJobs, setTerms } = gated(log, clock);
        await setTerms(termsOf(limits));
        const batch = [jobRequest(), jobRequest(), jobRequest()];
        const refused = { kind: 'refused', reason: 'batch_above_limit', quota: { ...quota, used: 3 } };
        expect(await enqueueJobs(caller(), batch, { atomic: true })).toEqual([refused, refused, refused]);
        expect(created(await enqueue(quota.value))).toHaveLength(quota.value);
      },
    );

    it('puts off an atomic batch that is above the rate or the day', async ({ log, clock }) => {
      const { enqueueJobs, setTerms } = gated(log, clock);
      await setTerms(termsOf({ enqueuesPerSecond: 1, jobsPerDay: 2 }, { onExceed: 'delay' }));
      const batch = Array.from({ length: 4 }, () => jobRequest());
      expect(created(await enqueueJobs(caller(), batch, { atomic: true }))).toHaveLength(4);
    });

    it('spreads what is above the rate when the terms say so', async ({ log, clock }) => {
      const { enqueue, setTerms } = gated(log, clock);
      await setTerms(termsOf({ enqueuesPerSecond: 4, enqueueBurst: 2 }, { onExceed: 'delay' }));
      const runAts = (await enqueue(5)).map((result) =>
        result.kind === 'created' ? result.snapshot.job.runAt - NOON : undefined,
      );
      expect(runAts).toEqual([0, 0, 250, 500, 750]);
    });

    it('does not use up the rate of a tenant that has no slots', async ({ log, clock }) => {
      const { enqueue, setTerms } = gated(log, clock);
      await setTerms(termsOf({ enqueuesPerSecond: 5, unfinishedJobs: 0 }));
      expect(await enqueue(5)).toMatchObject(Array(5).fill({ quota: { limit: 'unfinishedJobs' } }));
      await setTerms(termsOf({ enqueuesPerSecond: 5, unfinishedJobs: 5 }));
      clock.pass(51);
      expect(created(await enqueue(5))).toHaveLength(5);
    });

    it('uses up the rate for jobs that have slots alone', async ({ log, clock }) => {
      const { enqueue, setTerms } = gated(log, clock);
      await setTerms(termsOf({ enqueuesPerSecond: 4, unfinishedJobs: 1 }));
      expect(await enqueue(4)).toMatchObject([
        { kind: 'created' },
        ...Array(3).fill({ quota: { limit: 'unfinishedJobs' } }),
      ]);
      await setTerms(termsOf({ enqueuesPerSecond: 4, unfinishedJobs: 9 }));
      clock.pass(51);
      expect(await enqueue(4)).toMatchObject([
        ...Array(3).fill({ kind: 'created' }),
        { quota: { limit: 'enqueuesPerSecond' } },
      ]);
    });

    it('names for each job the limit that it is above', async ({ log, clock }) => {
      const { enqueue, setTerms } = gated(log, clock);
      await setTerms(termsOf({ enqueuesPerSecond: 1, unfinishedJobs: 3 }));
      expect(await enqueue(5)).toMatchObject([
        { kind: 'created' },
        ...Array(2).fill({ quota: { limit: 'enqueuesPerSecond' } }),
        ...Array(2).fill({ quota: { limit: 'unfinishedJobs' } }),
      ]);
    });
  });
}
