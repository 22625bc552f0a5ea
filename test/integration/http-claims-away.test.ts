import { expect, it } from 'vitest';
import { testApi } from '../support/api.ts';
import { createDatabase } from '../support/database.ts';
import { dispatchProcess } from '../support/dispatch.ts';

const CLAIM = [
  'POST',
  '/v1/claims',
  { workerId: 'w', waitMs: 600 },
  { authorization: 'Bearer worker-a' },
] as const;

it('a claim says 503, not that there is no job, when the database was away while it waited', async () => {
  await using database = await createDatabase();
  const away = async () => Promise.reject(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
  const one = dispatchProcess(database.pool, undefined, {
    readyQueue: (queue) => ({ ...queue, arrivals: away, lanes: away }),
  });
  await using api = await testApi({ useCases: { claimJobs: one.claimJobs } });
  const answer = await api.call(...CLAIM);
  expect(answer.json()).toMatchObject({ status: 503, code: 'dependency-unavailable' });
  expect(answer.headers['retry-after']).toBe('1');
  await one.close();
});
