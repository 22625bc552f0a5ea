import { expect, it } from 'vitest';
import { testApi } from '../support/api.ts';

it.each(['1999-12-31T23:59:59Z', '2099-01-01T00:00:00Z'])(
  'says when a job can run that can not at %s, which may be its deadline',
  async (time) => {
    await using api = await testApi();
    const refused = await api.call('POST', '/v1/jobs', { type: 't', runAt: time });
    expect(refused.statusCode).toBe(422);
    expect(refused.json().detail).toMatch('from the year 2000 on, at most ten years ahead');
    const accepted = await api.call('POST', '/v1/jobs', { type: 't', deadlineAt: time });
    expect(accepted.statusCode).toBe(201);
  },
);
