import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEngine, type Engine } from '../../src/engine.ts';
import type { EngineJob } from '../../src/engine-job.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { logOf } from '../support/log-in-use.ts';

describe('an engine', () => {
  let database: TestDatabase;
  let engine: Engine;
  beforeAll(async () => {
    database = await createDatabase();
    const roles = new Set<never>();
    engine = await createEngine({ databaseUrl: database.url, ...logOf(database.url), roles });
  });
  afterAll(async () => {
    await engine?.stop();
    await database?.[Symbol.asyncDispose]();
  });

  // Rows of a database are `any`: the compiler does not see what becomes of a job's fields.
  const ROWS: readonly Record<string, unknown>[] = [
    {},
    { type: null },
    { type: 5 },
    { type: ['t'] },
    { type: 't', queue: null },
    { type: 't', queue: 7 },
    { type: 't', queue: ['mail'] },
    { type: 't', payload: () => 'later' },
    { type: 't', payload: { toJSON: () => undefined } },
    { type: 't', jobId: ['019340a1-7f3e-7000-8c11-2a3b4c5d6e7f'] },
  ];

  it.each(ROWS)('does not take %o for a job', async (row) => {
    const before = await engine.parts.log.head();
    const jobs = [{ type: 't' }, row as unknown as EngineJob];
    const refused = { code: 'invalid_job', index: 1 };
    await expect(engine.enqueue('acme', jobs)).rejects.toMatchObject(refused);
    await expect(engine.enqueue('acme', jobs, { client: database.pool })).rejects.toMatchObject(refused);
    expect(await engine.parts.log.head()).toBe(before);
  });

  it('takes a job without a payload', async () => {
    const [result] = await engine.enqueue('acme', [{ type: 't' }]);
    expect(result).toMatchObject({ kind: 'created' });
  });
});
