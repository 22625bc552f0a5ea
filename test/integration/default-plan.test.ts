import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { noLogger } from '../../src/commands/telemetry.ts';
import { UNLIMITED } from '../../src/domain/tenant-quota/limits.ts';
import { createEngine } from '../../src/engine.ts';
import type { PlanSettings } from '../../src/plan-settings.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { logOf } from '../support/log-in-use.ts';
import { tempFolder } from '../support/temp-folder.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database?.[Symbol.asyncDispose]());

it('a start warns of a default plan that does not exist, and names those that do', async () => {
  await using folder = await tempFolder();
  const plansFile = `${folder.path}/plans.json`;
  await writeFile(plansFile, '{ "free": {}, "pro": {} }');
  await make('made-before');

  expect(await warnings({ defaultPlan: 'fre', plansFile })).toEqual([
    {
      setting: 'DEFAULT_PLAN',
      plan: 'fre',
      plans: ['free', 'made-before', 'pro'],
      message:
        'the plan named by DEFAULT_PLAN does not exist: until it is made, new tenants begin without limits',
    },
  ]);
});

it('a start does not warn of a default plan of the file, of one that was made before, or of none', async () => {
  await using folder = await tempFolder();
  const plansFile = `${folder.path}/plans.json`;
  await writeFile(plansFile, '{ "of-the-file": {} }');
  await make('of-the-api');

  expect(await warnings({ defaultPlan: 'of-the-file', plansFile })).toEqual([]);
  expect(await warnings({ defaultPlan: 'of-the-api' })).toEqual([]);
  expect(await warnings({})).toEqual([]);
});

/** Of a process that writes no plans of the file down. */
async function warnings(plans: PlanSettings): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  const logger = {
    ...noLogger,
    warn: (fields: object, message: string) => found.push({ ...fields, message }),
  };
  const roles = new Set<never>();
  await using _ = await createEngine({
    databaseUrl: database.url,
    ...logOf(database.url),
    plans,
    logger,
    roles,
  });
  return found;
}

async function make(name: string): Promise<void> {
  const roles = new Set<never>();
  await using engine = await createEngine({ databaseUrl: database.url, ...logOf(database.url), roles });
  const terms = { limits: UNLIMITED, onExceed: 'reject', weight: 1 } as const;
  await engine.parts.tenancy.plans.put({ name, terms, by: 'test', note: async () => undefined });
}
