import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPlanStore } from '../../src/adapters/postgres/plans.ts';
import { createPool } from '../../src/adapters/postgres/pool.ts';
import { systemClock } from '../../src/adapters/system.ts';
import type { PlanStore } from '../../src/commands/plans/plan-store.ts';
import { UNLIMITED } from '../../src/domain/tenant-quota/limits.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { failing, notes } from '../support/noting.ts';

let database: TestDatabase;
/** Two processes. */
let plans: PlanStore;
let others: PlanStore;
beforeAll(async () => {
  database = await createDatabase();
  plans = createPlanStore(database.pool, systemClock);
  others = createPlanStore(database.pool, systemClock);
});
afterAll(() => database?.[Symbol.asyncDispose]());

const terms = { limits: UNLIMITED, onExceed: 'reject', weight: 1 } as const;
const heavier = { ...terms, weight: 2 };

async function made(name: string): Promise<void> {
  await plans.put({ name, terms, by: 'test', note: async () => undefined });
}

describe('a change of a plan', () => {
  it('is not made when it can not be noted', async () => {
    await made('unnoted');
    const before = await plans.get('unnoted');
    await expect(plans.put({ name: 'unnoted', terms: heavier, by: 'test', note: failing })).rejects.toThrow(
      'the log is away',
    );
    await expect(plans.put({ name: 'new', terms, by: 'test', note: failing })).rejects.toThrow();
    await expect(plans.remove('unnoted', { note: failing })).rejects.toThrow('the log is away');
    expect(await plans.get('unnoted')).toEqual(before);
    expect(await plans.get('new')).toBeUndefined();
  });

  it('is noted before anybody sees it, so that no end of the process loses the note', async () => {
    await made('noted');
    const seen: unknown[] = [];
    const note = async () => seen.push((await others.get('noted'))?.weight);
    await plans.put({ name: 'noted', terms: heavier, by: 'test', note });
    await plans.remove('noted', { note });
    expect(seen).toEqual([1, 2]);
    expect(await others.get('noted')).toBeUndefined();
  });

  it('that is refused is not noted', async () => {
    const { note, taken } = notes();
    await plans.replaceFromFile(new Map([['filed', terms]]));
    await made('refused');
    const by = 'test';
    expect([
      await plans.put({ name: 'filed', terms, by, note }),
      await plans.remove('filed', { note }),
      await plans.put({ name: 'refused', terms, by, expectedRevision: 7, note }),
      await plans.remove('refused', { expectedRevision: 7, note }),
      await plans.put({ name: 'missing', terms, by, expectedRevision: 0, note }),
      await plans.remove('missing', { note }),
    ]).toEqual(['taken', 'taken', 'revision_mismatch', 'revision_mismatch', 'revision_mismatch', 'missing']);
    expect(taken()).toBe(0);
  });

  it('by two processes at once is made and noted once', async () => {
    const { note, taken } = notes();
    for (let round = 1; round <= 20; round += 1) {
      const name = `round-${round}`;
      await made(name);
      const write = { name, terms: heavier, by: 'test', expectedRevision: 0, note };
      const written = await Promise.all([plans.put(write), others.put(write)]);
      expect(written.filter((one) => one === 'revision_mismatch')).toHaveLength(1);
      const removal = { expectedRevision: 1, note };
      const removed = await Promise.all([plans.remove(name, removal), others.remove(name, removal)]);
      expect(removed.toSorted()).toEqual(['missing', 'removed']);
      expect(taken()).toBe(2 * round);
    }
  });

  it('never ends the plan that another process has just changed', async () => {
    for (let round = 1; round <= 20; round += 1) {
      const name = `changed-${round}`;
      await made(name);
      const { note, taken } = notes();
      const [changed, removed] = await Promise.all([
        plans.put({ name, terms: heavier, by: 'test', expectedRevision: 0, note }),
        others.remove(name, { expectedRevision: 0, note }),
      ]);
      expect(taken()).toBe(1);
      expect((await plans.get(name))?.weight).toBe(removed === 'removed' ? undefined : 2);
      expect(changed === 'revision_mismatch').toBe(removed === 'removed');
    }
  });

  it('leaves the log connections to note it with, however many change plans at once', async () => {
    const pool = createPool({ connectionString: database.url, max: 2, connectTimeoutMs: 2_000 });
    await using stack = new AsyncDisposableStack();
    stack.defer(() => pool.end());
    const few = createPlanStore(pool, systemClock);
    const note = () => pool.query('select 1');
    const written = await Promise.all(
      Array.from({ length: 30 }, (_, index) => few.put({ name: `many-${index}`, terms, by: 'test', note })),
    );
    expect(written.filter((plan) => typeof plan === 'string')).toEqual([]);
  });
});
