import { expect, it } from 'vitest';
import { projectionCheck } from '../../src/cli/doctor/projection-check.ts';
import type { JobsClient } from '../../src/sdk/client.ts';

const check = (...faults: readonly (readonly [name: string, message: string])[]) => {
  const list = async () =>
    faults.map(([name, message]) => ({ name, status: 'faulted', lagMs: 0, lastError: { message } }));
  return projectionCheck({ projections: { list } } as unknown as JobsClient).run();
};

it('a read model that stands still alone is built anew', async () => {
  expect(await check(['jobs', 'job-a.1@3: no such column'])).toMatchObject({
    fix: 'projections rebuild jobs',
  });
});

it('an event that nobody can read has to be put right, and the manual says how', async () => {
  const unreadable = 'job-a.1@3: data is not valid JSON';
  const found = await check(['jobs', unreadable], ['audit', unreadable]);
  expect(found).toMatchObject({ fix: expect.stringContaining('put that event right') });
});
