import { describe, expect, it } from 'vitest';
import { JobsApiError, JobsClient } from '../../src/sdk/index.ts';
import { type FakeService, fakeService, problem, sendJson } from '../support/fake-service.ts';

const clientOf = ({ url }: FakeService, options = {}) =>
  new JobsClient({ url, apiKey: 'ezk_test', tries: 3, ...options });

const exceeded = {
  ...problem(429, 'quota-exceeded'),
  quota: { limit: 'jobsPerDay', value: 10, used: 10, resetAt: '2026-11-22T00:00:00.000Z' },
};

describe('a limit', () => {
  it('that stays for hours is told at once, with its name', async () => {
    await using service = await fakeService((_, response) =>
      sendJson(response.setHeader('retry-after', '3600'), 429, exceeded),
    );
    const error = await clientOf(service)
      .enqueue('t', null)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(JobsApiError);
    expect(error).toMatchObject({ code: 'quota-exceeded', quota: exceeded.quota, retryAfterMs: 3_600_000 });
    expect(service.seen).toHaveLength(1);
  });

  it('that has room again in a moment is waited for', async () => {
    await using service = await fakeService((_, response, turn) =>
      turn === 0
        ? sendJson(response.setHeader('retry-after', '0'), 429, exceeded)
        : sendJson(response, 201, { id: 'job-1' }),
    );
    expect(await clientOf(service).enqueue('t', null)).toEqual({ id: 'job-1' });
    expect(service.seen).toHaveLength(2);
  });
});

it('a paused tenant is told why', async () => {
  const suspension = { reason: 'unpaid', until: null };
  await using service = await fakeService((_, response) =>
    sendJson(response.setHeader('retry-after', '30'), 409, { ...problem(409, 'tenant-paused'), suspension }),
  );
  await expect(clientOf(service).enqueue('t', null)).rejects.toMatchObject({
    code: 'tenant-paused',
    suspension,
  });
  expect(service.seen).toHaveLength(1);
});

it('the quota is that of the tenant of the connection, else of the key', async () => {
  await using service = await fakeService(({ path }, response) =>
    sendJson(response, 200, path.startsWith('/v1/tenants?') ? { data: [{ id: 'own' }] } : { plan: 'pro' }),
  );
  await clientOf(service, { tenant: 'acme' }).quota();
  await clientOf(service).quota();
  expect(service.seen.map(({ path }) => path)).toEqual([
    '/v1/tenants/acme/quota',
    '/v1/tenants?limit=2',
    '/v1/tenants/own/quota',
  ]);
});

it('changes go out with the revision that was read', async () => {
  await using service = await fakeService((_, response) => sendJson(response, 200, {}));
  const { tenants, plans } = clientOf(service);
  await tenants.setQuota('a', { plan: 'pro', reason: 'paid' }, { revision: 7 });
  await plans.put('pro', { limits: { jobsPerDay: 5 } }, { revision: 2 });
  await tenants.pause('a', { reason: 'unpaid', mode: 'all', until: new Date(0) });
  await tenants.list({ suspended: true });
  expect(service.seen.map(({ method, path, headers }) => [method, path, headers['if-match']])).toEqual([
    ['PUT', '/v1/tenants/a/quota', '"7"'],
    ['PUT', '/v1/plans/pro', '"2"'],
    ['PUT', '/v1/tenants/a/pause', undefined],
    ['GET', '/v1/tenants?suspended=true', undefined],
  ]);
  expect(JSON.parse(service.seen[2]?.body ?? '')).toEqual({
    reason: 'unpaid',
    mode: 'all',
    until: '1970-01-01T00:00:00.000Z',
  });
});
