import { describe, expect } from 'vitest';
import { jobCodec } from '../../src/commands/job-codec.ts';
import { createJobHandler } from '../../src/commands/job-handler.ts';
import { type EventLog, LogUnavailableError } from '../../src/commands/ports.ts';
import { createReadJob } from '../../src/commands/read-job.ts';
import { systemMetadata } from '../../src/commands/system-metadata.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import { caller, jobRequest } from '../support/caller.ts';
import { gateTest } from '../support/gate-test.ts';
import { bound, created, gated, jobsIn, type LogForGates, quotaEvents, wholeLog } from '../support/gated.ts';
import { NOON, termsOf } from '../support/quota-states.ts';

const COMMAND = '01890a5d-ac96-774b-bcce-b302099a8057';

/** What becomes of the jobs that the gate lets in, whatever the log is made of. */
export function exerciseAdmittedJobs(name: string, make: () => Promise<LogForGates>): void {
  describe(`jobs at the quota gate over ${name}`, () => {
    const it = gateTest(make);

    it('grants exactly the limit to three processes that race for the last slots', async ({
      subject,
      log,
      clock,
    }) => {
      const limit = 137;
      const processes = [subject.open(), subject.open(), subject.open()].map((own) => gated(own, clock));
      await processes[0]?.setTerms(termsOf({ unfinishedJobs: limit }));
      const calls = Array.from({ length: 90 }, (_, index) => processes[index % 3]?.enqueue(1 + (index % 5)));
      const results = (await Promise.all(calls)).flatMap((some) => some ?? []);
      expect(created(results)).toHaveLength(limit);
      expect(results.filter(({ kind }) => kind === 'refused')).toHaveLength(results.length - limit);
      expect(await jobsIn(log)).toBe(limit);
      const reserved = await quotaEvents(log, 'QuotaReserved');
      expect(reserved.at(-1)?.data.after.unfinished).toBe(limit);
      expect(new Set(reserved.flatMap(({ data }) => data.jobIds))).toEqual(new Set(created(results)));
    });

    it('writes one reservation for calls that come together', async ({ log, clock }) => {
      const { enqueue, setTerms } = gated(log, clock);
      await setTerms(termsOf({ unfinishedJobs: 1_000 }));
      await enqueue(1);
      await Promise.all(Array.from({ length: 64 }, () => enqueue(1)));
      expect(await quotaEvents(log, 'QuotaReserved')).toHaveLength(2);
    });

    it('creates every job under the reservation that its slot comes from', async ({ log, clock }) => {
      const { enqueue, setTerms } = gated(log, clock);
      await setTerms(termsOf({ jobsPerDay: 5 }));
      const [jobId = ''] = created(await enqueue(1));
      const [reserved] = await quotaEvents(log, 'QuotaReserved');
      expect(reserved?.data.jobIds).toEqual([jobId]);
      const [stored] = await log.readStream(jobStream('acme', jobId));
      expect(stored && jobCodec.decode(stored)).toMatchObject({
        data: { reservationId: reserved?.data.reservationId },
      });
    });

    it('answers a repeated call as the first one when nothing more fits', async ({ log, clock }) => {
      const { enqueueJobs, setTerms } = gated(log, clock);
      await setTerms(termsOf({ unfinishedJobs: 2 }));
      const call = (atomic: boolean, commandId: string) =>
        enqueueJobs(caller(), [jobRequest(), jobRequest()], { commandId, atomic });
      const first = await call(false, COMMAND);
      expect(created(first)).toHaveLength(2);
      expect(await call(false, COMMAND)).toEqual(first);
      expect(await quotaEvents(log, 'QuotaReserved')).toHaveLength(1);
      expect(created(await call(true, '01890a5d-ac96-774b-bcce-b302099a8058'))).toEqual([]);
    });

    it('reserves once for each job when a call is repeated while it runs', async ({ log, clock }) => {
      const { enqueueJobs, setTerms } = gated(log, clock);
      await setTerms(termsOf({ unfinishedJobs: 10 }));
      const call = () => enqueueJobs(caller(), [jobRequest()], { commandId: COMMAND });
      await Promise.all([call(), call()]);
      for (const { data } of await quotaEvents(log, 'QuotaReserved'))
        expect(new Set(data.jobIds).size).toBe(data.jobIds.length);
      expect(await jobsIn(log)).toBe(1);
    });

    it('answers with the job that has the key when nothing more fits', async ({ log, clock }) => {
      const { enqueue, setTerms } = gated(log, clock);
      await setTerms(termsOf({ unfinishedJobs: 1 }));
      const [jobId] = created(await enqueue(1, { dedupeKey: 'k' }));
      expect(await enqueue(1, { dedupeKey: 'k' })).toMatchObject([
        { kind: 'deduplicated', snapshot: { jobId } },
      ]);
      expect(await enqueue(1, { dedupeKey: 'other' })).toMatchObject([
        { kind: 'refused', reason: 'quota_exceeded' },
      ]);
      expect(await quotaEvents(log, 'QuotaReserved')).toHaveLength(1);
    });

    it('creates a keyed job that was refused once there is room', async ({ log, clock }) => {
      const { enqueue, setTerms } = gated(log, clock);
      await setTerms(termsOf({ unfinishedJobs: 0 }));
      expect(created(await enqueue(1, { dedupeKey: 'k' }))).toEqual([]);
      expect(created(await enqueue(1, { dedupeKey: 'k' }))).toEqual([]);
      const taken = (await wholeLog(log)).filter(({ type }) => type === 'DedupeKeyTaken');
      expect(taken).toHaveLength(1);
      await setTerms(termsOf({ unfinishedJobs: 1 }));
      clock.pass(51);
      expect(created(await enqueue(1, { dedupeKey: 'k' }))).toHaveLength(1);
    });

    it('does not lose a job that comes after its slot was taken back', async ({ log, clock }) => {
      const late = fencingOnce(log);
      const { enqueueJobs, setTerms } = gated(late, clock);
      await setTerms(termsOf({ unfinishedJobs: 10 }));
      const call = () => enqueueJobs(caller(), [jobRequest(), jobRequest()], { commandId: COMMAND });
      const first = created(await call());
      expect(first).toHaveLength(2);
      expect(await jobsIn(log)).toBe(2);
      for (const jobId of first) expect(await createReadJob({ log })('acme', jobId)).toBeDefined();
      expect(created(await call())).toEqual(first);
      expect(await jobsIn(log)).toBe(2);
      const reserved = (await quotaEvents(log, 'QuotaReserved')).map(({ data }) => data.jobIds);
      expect(reserved[1]).toEqual([first[0]]);
    });

    it('tells all who share a reservation when nobody knows whether it was written, and goes on', async ({
      log,
      clock,
    }) => {
      let away = false;
      const { enqueue, setTerms } = gated(
        {
          ...bound(log),
          append: async (requests) => {
            if (away) throw new LogUnavailableError('away');
            return log.append(requests);
          },
        },
        clock,
      );
      await setTerms(termsOf({ unfinishedJobs: 10 }));
      await enqueue(1);
      away = true;
      const outcomes = await Promise.allSettled([enqueue(1), enqueue(1)]);
      expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      away = false;
      expect(created(await enqueue(1))).toHaveLength(1);
    });

    it('turns away calls of a tenant that has too many waiting', async ({ log, clock }) => {
      const held = Promise.withResolvers<void>();
      const { enqueue, setTerms } = gated(
        {
          ...bound(log),
          append: async (requests) => {
            if (requests[0]?.events[0]?.type === 'QuotaReserved') await held.promise;
            return log.append(requests);
          },
        },
        clock,
      );
      await setTerms(termsOf({ unfinishedJobs: 10 }));
      const calls = Array.from({ length: 53 }, () =>
        enqueue(1_000).then(
          (results) => created(results).length,
          (error) => error.code,
        ),
      );
      expect(await Promise.race(calls)).toBe('log_overloaded');
      held.resolve();
      const answers = await Promise.all(calls);
      expect(answers.filter((answer) => answer === 'log_overloaded').length).toBeGreaterThan(0);
      expect(answers.filter((answer) => answer === 10)).toHaveLength(1);
      expect(await jobsIn(log)).toBe(10);
    });
  });
}

/** The sweeper comes between the first reservation and the first of its jobs. */
function fencingOnce(log: EventLog): EventLog {
  let done = false;
  return {
    ...bound(log),
    async append(requests) {
      const [request] = requests;
      if (!done && request && request.stream.startsWith('job-')) {
        done = true;
        const at = NOON + 60_000;
        const metadata = systemMetadata('fence', 'acme', 'fence', at);
        const command = { type: 'VoidJob', reason: 'never created', at } as const;
        await createJobHandler(log).handle([{ stream: request.stream, command, metadata }]);
      }
      return log.append(requests);
    },
  };
}
