import { describe, expect, it } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { systemClock, systemIds } from '../../src/adapters/system.ts';
import { CorruptEventError } from '../../src/commands/event-codec.ts';
import { type ApplyPlansDeps, createApplyPlans } from '../../src/commands/plans/apply-plans.ts';
import { createAssignTerms } from '../../src/commands/plans/assign-terms.ts';
import { type Plan, termsOf } from '../../src/commands/plans/plan-store.ts';
import { createReadQuota } from '../../src/commands/read-quota.ts';
import { createSetTerms } from '../../src/commands/set-terms.ts';
import { UNLIMITED } from '../../src/domain/tenant-quota/limits.ts';
import { caller } from '../support/caller.ts';
import { waitUntil } from '../support/wait-until.ts';

const TENANTS = Array.from({ length: 250 }, (_, index) => `t-${String(index).padStart(3, '0')}`);

const planAt = (revision: number): Plan => ({
  name: 'pro',
  limits: { ...UNLIMITED, jobsPerDay: 100 + revision },
  onExceed: 'reject',
  weight: 1,
  revision,
  fromFile: false,
  createdAt: 0,
  updatedAt: 0,
  updatedBy: 'test',
  reason: null,
  appliedRevision: 0,
});

class InvalidCursor extends Error {
  readonly code = 'invalid_cursor';
}

/** Tenants on a plan, the list of them in pages, and how far its terms have been given. */
async function onPlan() {
  const log = createMemoryEventLog();
  const deps = { log, clock: systemClock, ids: systemIds() };
  const readQuota = createReadQuota(deps);
  const setTerms = createSetTerms(deps);
  for (const tenantId of TENANTS) await setTerms(caller(tenantId), termsOf(planAt(0)), {});
  let plan = planAt(0);
  let upTo: string | null = null;
  const pages: (string | undefined)[] = [];
  const parts: ApplyPlansDeps = {
    plans: {
      list: async () => [],
      toApply: async () => (plan.appliedRevision < plan.revision ? { plan, upTo } : undefined),
      async applied(_name, revision, cursor, all) {
        if (revision !== plan.revision) return;
        upTo = cursor;
        if (all) plan = { ...plan, appliedRevision: revision };
      },
    },
    useCases: { setTerms, readQuota },
    async tenantsOn(_plan, { limit, cursor }) {
      pages.push(cursor);
      const from = cursor === undefined ? 0 : Number(cursor);
      if (Number.isNaN(from)) throw new InvalidCursor();
      const rows = await Promise.all(
        TENANTS.slice(from, from + limit).map(async (tenantId) => {
          const { quota = null } = await readQuota(tenantId);
          return { tenantId, quota };
        }),
      );
      return { rows, nextCursor: from + limit < TENANTS.length ? String(from + limit) : null };
    },
    caughtUp: async () => true,
    ids: deps.ids,
    everyMs: 5,
  };
  return {
    ...deps,
    parts,
    pages,
    setTerms,
    limitOf: async (tenantId: string) => (await readQuota(tenantId)).quota?.terms.limits.jobsPerDay,
    change(revision: number, cursor: string | null = null) {
      plan = { ...planAt(revision), appliedRevision: plan.appliedRevision };
      upTo = cursor;
    },
    isApplied: () => plan.appliedRevision === plan.revision,
  };
}

async function applied(set: Awaited<ReturnType<typeof onPlan>>, parts = set.parts): Promise<void> {
  const stop = new AbortController();
  const running = createApplyPlans(parts)(stop.signal);
  await waitUntil('the plan is applied', set.isApplied);
  stop.abort();
  await running;
}

describe('a plan that changes', () => {
  it('is given to every tenant on it, with one event each', async () => {
    const set = await onPlan();
    const before = await set.log.head();
    set.change(1);
    await applied(set);
    for (const tenantId of TENANTS) expect(await set.limitOf(tenantId)).toBe(101);
    expect((await set.log.head()) - before).toBe(BigInt(TENANTS.length));
  });

  it('goes on where it was cut off, and gives nothing twice', async () => {
    const set = await onPlan();
    set.change(1);
    let given = 0;
    const dying: ApplyPlansDeps = {
      ...set.parts,
      useCases: {
        ...set.parts.useCases,
        async setTerms(...args) {
          given += 1;
          if (given === 150) throw new Error('the process dies here');
          return set.setTerms(...args);
        },
      },
    };
    await expect(createApplyPlans(dying)(new AbortController().signal)).rejects.toThrow('dies here');
    expect(set.isApplied()).toBe(false);
    set.pages.length = 0;
    const before = await set.log.head();
    await applied(set);
    expect(set.pages[0]).toBe('100');
    for (const tenantId of TENANTS) expect(await set.limitOf(tenantId)).toBe(101);
    expect((await set.log.head()) - before).toBeLessThanOrEqual(101n);
  });

  it('leaves alone whoever is taken off it meanwhile', async () => {
    const set = await onPlan();
    set.change(1);
    const own = { limits: { ...UNLIMITED, jobsPerDay: 7 }, onExceed: 'reject', weight: 1 } as const;
    let moved = false;
    const racing: ApplyPlansDeps = {
      ...set.parts,
      useCases: {
        ...set.parts.useCases,
        async setTerms(context, ...args) {
          if (context.tenantId === 't-005' && !moved) {
            moved = true;
            await set.setTerms(caller('t-005'), own, {});
          }
          return set.setTerms(context, ...args);
        },
      },
    };
    await applied(set, racing);
    expect(await set.limitOf('t-005')).toBe(7);
    expect(await set.limitOf('t-006')).toBe(101);
  });

  it('reaches all others beside a tenant whose stream nobody can read', async () => {
    const set = await onPlan();
    set.change(1);
    await applied(set, {
      ...set.parts,
      useCases: {
        ...set.parts.useCases,
        async readQuota(tenantId) {
          if (tenantId === 't-005') throw new CorruptEventError('QuotaReserved', 1, 'not JSON');
          return createReadQuota(set)(tenantId);
        },
      },
    });
    for (const tenantId of TENANTS)
      expect(await set.limitOf(tenantId)).toBe(tenantId === 't-005' ? 100 : 101);
  });

  it('starts over when the list no longer knows how far it was', async () => {
    const set = await onPlan();
    set.change(1, 'of another version');
    await applied(set);
    for (const tenantId of TENANTS) expect(await set.limitOf(tenantId)).toBe(101);
  });

  it('waits until the list has those who were put on it before', async () => {
    const set = await onPlan();
    set.change(1);
    let looks = 0;
    await applied(set, {
      ...set.parts,
      async caughtUp() {
        looks += 1;
        if (looks < 3) expect(set.pages).toEqual([]);
        return looks >= 3;
      },
    });
    expect(looks).toBeGreaterThanOrEqual(3);
  });
});

it('a tenant that is put on a plan while it changes gets the changed one', async () => {
  const set = await onPlan();
  let asked = 0;
  const assign = createAssignTerms({
    plans: {
      get: async () => {
        asked += 1;
        return planAt(asked === 1 ? 0 : 1);
      },
    },
    useCases: { setTerms: set.setTerms },
    defaultPlan: undefined,
  });
  await assign.toPlan(caller('newcomer'), 'pro', {});
  expect(await set.limitOf('newcomer')).toBe(101);
});
