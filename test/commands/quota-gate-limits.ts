import { describe, expect } from 'vitest';
import type { EventLog } from '../../src/commands/ports.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { caller, jobRequest } from '../support/caller.ts';
import { gateTest } from '../support/gate-test.ts';
import { bound, created, gated, jobsIn, type LogForGates, quotaEvents, wholeLog } from '../support/gated.ts';
import { DAY_MS, NOON, termsOf } from '../support/quota-states.ts';

const MIDNIGHT = NOON + DAY_MS / 2;

/** What the gate refuses, puts off and tells, whatever the log is made of. */
export function exerciseLimits(name: string, make: () => Promise<LogForGates>): void {
  describe(`limits at the quota gate over ${name}`, () => {
    const it = gateTest(make);

    it('lets a bulk in as far as there is room, the first ones first', async ({ log, clock }) => {
      const { enqueue, setTerms } = gated(log, clock);
      await setTerms(termsOf({ unfinishedJobs: 3 }));
      const results = await enqueue(5);
      const quota = { limit: 'unfinishedJobs', value: 3, used: 3, retryAfterMs: 1_000 };
      expect(results).toMatchObject([
        { kind: 'created' },
        { kind: 'created' },
        { kind: 'created' },
        { kind: 'refused', reason: 'quota_exceeded', quota },
        { kind: 'refused', reason: 'quota_exceeded', quota },
      ]);
      expect(await jobsIn(log)).toBe(3);
    });

    it('says when a used-up day is over', async ({ log, clock }) => {
      const { enqueue, setTerms } = gated(log, clock);
      await setTerms(termsOf({ jobsPerDay: 1 }));
      const [, refused] = await enqueue(2);
      expect(refused).toMatchObject({
        quota: { limit: 'jobsPerDay', value: 1, used: 1, resetAt: MIDNIGHT, retryAfterMs: DAY_MS / 2 },
      });
      clock.pass(DAY_MS / 2 - 1);
      expect(created(await enqueue(1))).toEqual([]);
      clock.pass(1);
      expect(created(await enqueue(1))).toHaveLength(1);
    });

    it('lets an atomic batch in whole or not at all', async ({ log, clock }) => {
      const { enqueueJobs, enqueue, setTerms } = gated(log, clock);
      await setTerms(termsOf({ unfinishedJobs: 3 }));
      const batch = [jobRequest(), jobRequest()];
      expect(created(await enqueueJobs(caller(), batch, { atomic: true }))).toHaveLength(2);
      const refused = await enqueueJobs(caller(), batch, { atomic: true });
      expect(refused).toMatchObject([
        { kind: 'refused', reason: 'quota_exceeded', quota: { used: 2 } },
        { kind: 'refused', reason: 'quota_exceeded', quota: { used: 2 } },
      ]);
      expect(await jobsIn(log)).toBe(2);
      expect(created(await enqueue(2))).toHaveLength(1);
    });

    it('refuses a suspended tenant and lets it in again once it is resumed', async ({ log, clock }) => {
      const { enqueue, suspend, resume } = gated(log, clock);
      await suspend();
      expect(await enqueue(1)).toEqual([
        {
          kind: 'refused',
          reason: 'tenant_suspended',
          suspension: { reason: 'unpaid', until: undefined },
        },
      ]);
      await resume();
      clock.pass(51);
      expect(created(await enqueue(1))).toHaveLength(1);
    });

    it('acts within a second on what other processes decide', async ({ log, clock }) => {
      const { enqueue, setTerms, suspend } = gated(log, clock);
      expect(created(await enqueue(2))).toHaveLength(2);
      await setTerms(termsOf({ unfinishedJobs: 0 }));
      clock.pass(1_001);
      expect(created(await enqueue(1))).toEqual([]);
      await suspend();
      clock.pass(1_001);
      expect(await enqueue(1)).toMatchObject([{ reason: 'tenant_suspended' }]);
    });

    it('looks again before it refuses', async ({ log, clock }) => {
      const { enqueue, setTerms } = gated(log, clock);
      await setTerms(termsOf({ unfinishedJobs: 1 }));
      await enqueue(1);
      await setTerms(termsOf({ unfinishedJobs: 2 }));
      clock.pass(51);
      expect(created(await enqueue(1))).toHaveLength(1);
    });

    it('puts jobs off until midnight when the terms say so', async ({ log, clock }) => {
      const { enqueue, setTerms } = gated(log, clock);
      await setTerms(termsOf({ jobsPerDay: 2 }, { onExceed: 'delay' }));
      const results = await enqueue(5);
      expect(results).toMatchObject([
        { kind: 'created', snapshot: { job: { status: 'queued', runAt: NOON } } },
        { kind: 'created', snapshot: { job: { status: 'queued', runAt: NOON } } },
        { kind: 'created', snapshot: { job: { status: 'scheduled', runAt: MIDNIGHT } } },
        { kind: 'created', snapshot: { job: { status: 'scheduled', runAt: MIDNIGHT } } },
        { kind: 'refused', quota: { limit: 'jobsPerDay', used: 2, resetAt: MIDNIGHT } },
      ]);
    });

    it('leaves a job alone that wants to run later than it is put off', async ({ log, clock }) => {
      const { enqueue, setTerms } = gated(log, clock);
      await setTerms(termsOf({ jobsPerDay: 1 }, { onExceed: 'delay' }));
      const runAt = MIDNIGHT + 5;
      const results = await enqueue(2, { runAt });
      expect(results).toMatchObject([{ snapshot: { job: { runAt } } }, { snapshot: { job: { runAt } } }]);
    });

    it('refuses payloads above the limit of the tenant, each for itself', async ({ log, clock }) => {
      const { enqueueJobs, setTerms } = gated(log, clock);
      await setTerms(termsOf({ payloadBytes: 4, unfinishedJobs: 9 }));
      const requests = ['"é"', '"éé"', '""'].map((text) => jobRequest({ payload: asJsonText(text) }));
      expect(await enqueueJobs(caller(), requests)).toMatchObject([
        { kind: 'created' },
        { reason: 'quota_exceeded', quota: { limit: 'payloadBytes', value: 4, used: 6 } },
        { kind: 'created' },
      ]);
      const batch = await enqueueJobs(caller(), requests, { atomic: true });
      expect(batch).toMatchObject([
        { reason: 'batch_refused' },
        { reason: 'quota_exceeded' },
        { reason: 'batch_refused' },
      ]);
    });

    it('only looks for slots when the jobs appear later', async ({ log, clock }) => {
      const { gate, setTerms } = gated(log, clock);
      await setTerms(termsOf({ unfinishedJobs: 2 }));
      const jobs = ['a', 'b', 'c'].map((jobId) => ({ jobId, payload: '1' }));
      const ask = (count: number, whole: boolean) =>
        gate.admit('acme', jobs.slice(0, count), { whole, reserve: false });
      const kinds = async (count: number, whole: boolean) =>
        (await ask(count, whole)).map(({ kind }) => kind);
      expect(await kinds(2, true)).toEqual(['admitted', 'admitted']);
      expect(await kinds(3, true)).toEqual(['refused', 'refused', 'refused']);
      expect(await kinds(3, false)).toEqual(['admitted', 'admitted', 'refused']);
      expect(await quotaEvents(log, 'QuotaReserved')).toEqual([]);
    });

    it('writes refusals down at once, then once a minute with how many there were', async ({
      log,
      clock,
    }) => {
      const calls: string[] = [];
      const answers: Promise<unknown>[] = [];
      const { enqueue, setTerms } = gated(counting(remembering(log, answers), calls), clock);
      await setTerms(termsOf({ unfinishedJobs: 0 }));
      await enqueue(10);
      calls.length = 0;
      for (let flood = 1; flood < 20; flood += 1) await enqueue(10);
      await settled(answers);
      expect(calls.filter((call) => call === 'append').length).toBeLessThanOrEqual(1);
      expect(calls.length).toBeLessThan(10);
      clock.pass(60_000);
      await enqueue(1);
      await expect
        .poll(async () => (await quotaEvents(log, 'QuotaExceeded')).map(({ data }) => data.refused))
        .toEqual([10, 191]);
    });

    it('writes refusals down once a minute, however many processes refuse', async ({
      subject,
      log,
      clock,
    }) => {
      const answers: Promise<unknown>[] = [];
      const first = gated(subject.open(), clock);
      const second = gated(remembering(subject.open(), answers), clock);
      await first.setTerms(termsOf({ unfinishedJobs: 0 }));
      await first.enqueue(3);
      await expect.poll(() => quotaEvents(log, 'QuotaExceeded')).toHaveLength(1);
      await second.enqueue(3);
      // Only now has the second one found the note of the first.
      await settled(answers);
      clock.pass(60_000);
      await second.enqueue(3);
      await expect
        .poll(async () => (await quotaEvents(log, 'QuotaExceeded')).map(({ data }) => data.refused))
        .toEqual([3, 6]);
    });

    it('costs tenants without a quota one read a second', async ({ log, clock }) => {
      const calls: string[] = [];
      const { enqueue } = gated(counting(log, calls), clock);
      for (let call = 0; call < 10; call += 1) await enqueue(2);
      expect(calls).toEqual(['read quota-acme', ...Array(10).fill('append')]);
      clock.pass(1_001);
      calls.length = 0;
      await enqueue(2);
      expect(calls).toEqual(['read quota-acme', 'append']);
      expect((await wholeLog(log)).every(({ type }) => type === 'JobEnqueued')).toBe(true);
    });
  });
}

/** Keeps what the log was asked for. */
const remembering = (log: EventLog, answers: Promise<unknown>[]): EventLog => {
  const kept = <Answer>(answer: Promise<Answer>): Promise<Answer> => {
    answers.push(answer);
    return answer;
  };
  return {
    ...bound(log),
    append: (requests) => kept(log.append(requests)),
    readStream: (stream, options) => kept(log.readStream(stream, options)),
  };
};

/** Everything is answered, and whoever asked has done what follows. */
async function settled(answers: readonly Promise<unknown>[]): Promise<void> {
  for (let seen = -1; seen < answers.length; ) {
    seen = answers.length;
    await Promise.all(answers);
    await new Promise(setImmediate);
  }
}

const counting = (log: EventLog, calls: string[]): EventLog => ({
  ...bound(log),
  append: (requests) => {
    calls.push('append');
    return log.append(requests);
  },
  readStream: (stream, options) => {
    calls.push(`read ${stream}`);
    return log.readStream(stream, options);
  },
  readStreams: (streams) => {
    calls.push('read many');
    return log.readStreams(streams);
  },
});
