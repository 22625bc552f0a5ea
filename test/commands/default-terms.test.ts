import { expect, it } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { systemClock, systemIds } from '../../src/adapters/system.ts';
import { createEnsureTerms } from '../../src/commands/plans/default-terms.ts';
import type { Plan } from '../../src/commands/plans/plan-store.ts';
import { createReadQuota } from '../../src/commands/read-quota.ts';
import { createSetTerms } from '../../src/commands/set-terms.ts';
import { noLogger } from '../../src/commands/telemetry.ts';
import { DEFAULT_TERMS, UNLIMITED } from '../../src/domain/tenant-quota/limits.ts';
import { caller } from '../support/caller.ts';

const FREE: Plan = {
  name: 'free',
  limits: { ...UNLIMITED, jobsPerDay: 10 },
  onExceed: 'reject',
  weight: 1,
  revision: 0,
  fromFile: false,
  createdAt: 0,
  updatedAt: 0,
  updatedBy: 'test',
  reason: null,
  appliedRevision: 0,
};

function setUp(plan: () => Plan | undefined = () => FREE) {
  const log = createMemoryEventLog();
  const deps = { log, clock: systemClock, ids: systemIds() };
  const read = createReadQuota(deps);
  const setTerms = createSetTerms(deps);
  const warnings: string[] = [];
  let reads = 0;
  const process = () =>
    createEnsureTerms({
      plans: { recent: async () => plan() },
      useCases: {
        setTerms,
        readQuota: (tenantId) => {
          reads += 1;
          return read(tenantId);
        },
      },
      defaultPlan: 'free',
      clock: systemClock,
      logger: { ...noLogger, warn: (_fields, event) => warnings.push(event) },
    });
  return { log, read, setTerms, process, warnings, reads: () => reads };
}

it('a new tenant costs one read a process and one event, however many jobs come at once', async () => {
  const { log, read, process, reads } = setUp();
  const [one, other] = [process(), process()];
  await Promise.all(
    Array.from({ length: 20 }, (_, job) => (job % 2 === 0 ? one : other)('new', `job-${job}`)),
  );
  await one('new', 'later');
  expect((await read('new')).quota?.terms).toMatchObject({ plan: 'free', limits: { jobsPerDay: 10 } });
  expect(reads()).toBe(2);
  expect(await log.head()).toBe(1n);
});

it('a tenant that something was set for keeps it', async () => {
  const { read, setTerms, process } = setUp();
  await setTerms(caller('known'), DEFAULT_TERMS, {});
  await process()('known', 'job');
  expect((await read('known')).quota?.terms.plan).toBeUndefined();
});

it('without the plan a tenant begins without limits, and gets it once it is there', async () => {
  let plan: Plan | undefined;
  const { read, process, warnings } = setUp(() => plan);
  const ensure = process();
  await ensure('early', 'job-1');
  await ensure('early', 'job-2');
  expect((await read('early')).quota).toBeUndefined();
  expect(warnings).toHaveLength(1);
  plan = FREE;
  await ensure('early', 'job-3');
  expect((await read('early')).quota?.terms.plan).toBe('free');
});
