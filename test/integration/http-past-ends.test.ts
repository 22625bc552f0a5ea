import { expect, it } from 'vitest';
import { startLiveApi } from '../support/live-api.ts';

const PASSED = '2020-01-01T00:00:00Z';

it('nothing is paused, and no key made, until a time that has passed', async () => {
  await using api = await startLiveApi();
  const platform = await api.caller({ tenants: '*' });
  const { tenantId, call } = await api.caller();
  const pause = { reason: 'unpaid', until: PASSED };
  const answers = await Promise.all([
    platform.call('PUT', `/v1/tenants/${tenantId}/pause`, pause),
    call('PUT', '/v1/queues/default/pause', pause),
    call('POST', '/v1/keys', { name: 'k', role: 'viewer', expiresAt: PASSED }),
  ]);
  expect(answers.map(({ status, body }) => [status, body?.detail])).toEqual([
    [400, '/until: lies in the past'],
    [400, '/until: lies in the past'],
    [400, '/expiresAt: lies in the past'],
  ]);
  expect((await platform.call('GET', `/v1/tenants/${tenantId}/quota`)).body.revision).toBe(-1);
});
