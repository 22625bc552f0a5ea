import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LiveApi, startLiveApi } from '../support/live-api.ts';

let api: LiveApi;
beforeAll(async () => {
  api = await startLiveApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

it('wrong keys are slowed down, and whoever has a good one from the same address is not', async () => {
  const { call, keyId } = await api.caller();
  const guess = (secret: number) =>
    call('GET', '/v1/jobs', undefined, {
      authorization: `Bearer ezk_${keyId}_${String(secret).padStart(43, 'x')}`,
    });
  const codes: string[] = [];
  for (let secret = 0; secret < 13; secret += 1) {
    const { status, body, headers } = await guess(secret);
    codes.push(`${status} ${body.code} ${headers.get('retry-after')}`);
    expect((await call('GET', '/v1/jobs')).status).toBe(200);
  }
  expect(codes).toEqual([
    ...Array(10).fill('401 unauthenticated null'),
    '429 too-many-attempts 1',
    '429 too-many-attempts 2',
    '429 too-many-attempts 4',
  ]);
  const metrics = await (await fetch(`${api.url}/metrics`)).text();
  expect(metrics).toContain('eventzr_auth_failures_total{outcome="refused"} 10');
  expect(metrics).toContain('eventzr_auth_failures_total{outcome="slowed"} 3');
});

it('whoever shows no key at all has not guessed', async () => {
  const none = () => fetch(`${api.url}/v1/jobs`).then(({ status }) => status);
  const statuses = await Promise.all(Array.from({ length: 30 }, none));
  expect(new Set(statuses)).toEqual(new Set([401]));
});
