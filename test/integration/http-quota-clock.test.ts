import { expect, it } from 'vitest';
import { createMemoryEventLog } from '../../src/adapters/memory/event-log.ts';
import { createMemoryRateBuckets } from '../../src/adapters/memory/rate-buckets.ts';
import { systemIds } from '../../src/adapters/system.ts';
import { createEnqueueJobs } from '../../src/commands/enqueue-jobs.ts';
import { QuotaGate } from '../../src/commands/quota-gate.ts';
import { createSetTerms } from '../../src/commands/set-terms.ts';
import { createSuspendTenant } from '../../src/commands/suspend-tenant.ts';
import { type TestApi, testApi } from '../support/api.ts';

const MIDNIGHT = Date.UTC(2026, 10, 22);
const PLATFORM = { authorization: 'Bearer platform-admin' };

/** The API with quotas, at whatever time the test says it is. */
async function apiAt(start: number): Promise<{ readonly api: TestApi; at(time: number): void }> {
  let now = start;
  const clock = { now: () => now };
  const log = createMemoryEventLog();
  const ids = systemIds(clock);
  const gate = new QuotaGate({ log, clock, ids, buckets: createMemoryRateBuckets(clock) });
  const changed = gate.know.bind(gate);
  const api = await testApi({
    log,
    clock,
    useCases: {
      enqueueJobs: createEnqueueJobs({ log, clock, ids, gate }),
      setTerms: createSetTerms({ log, clock, ids, changed }),
      suspendTenant: createSuspendTenant({ log, clock, ids, changed }),
    },
    known: gate.known.bind(gate),
  });
  return {
    api,
    at(time) {
      now = time;
    },
  };
}

const limit = (api: TestApi, limits: object) => api.call('PUT', '/v1/tenants/a/quota', { limits }, PLATFORM);
const enqueue = (api: TestApi) => api.call('POST', '/v1/jobs', { type: 't' });

it('a day begins at midnight UTC, to the millisecond', async () => {
  const { api, at } = await apiAt(MIDNIGHT - 1);
  await limit(api, { jobsPerDay: 1 });
  expect((await enqueue(api)).headers.ratelimit).toBe('"jobsPerDay";r=0;t=1');
  const refused = await enqueue(api);
  expect(refused.statusCode).toBe(429);
  expect(refused.headers['retry-after']).toBe('1');
  expect(refused.json().quota).toEqual({
    limit: 'jobsPerDay',
    value: 1,
    used: 1,
    resetAt: new Date(MIDNIGHT).toISOString(),
  });
  at(MIDNIGHT);
  const next = await enqueue(api);
  expect(next.statusCode).toBe(201);
  expect(next.headers.ratelimit).toBe('"jobsPerDay";r=0;t=86400');
  const quota = await api.call('GET', '/v1/tenants/a/quota');
  expect(quota.json()).toMatchObject({
    usage: { jobsPerDay: 1 },
    resetAt: new Date(MIDNIGHT + 86_400_000).toISOString(),
  });
});

it('a clock that goes back does not give a day twice', async () => {
  const { api, at } = await apiAt(MIDNIGHT);
  await limit(api, { jobsPerDay: 1 });
  expect((await enqueue(api)).statusCode).toBe(201);
  at(MIDNIGHT - 60_000);
  expect((await enqueue(api)).statusCode).toBe(429);
  at(MIDNIGHT + 1);
  expect((await enqueue(api)).statusCode).toBe(429);
});

it('a rate lets in again what has drained, and says when to come back', async () => {
  const { api, at } = await apiAt(MIDNIGHT);
  await limit(api, { enqueuesPerSecond: 2, enqueueBurst: 2 });
  expect([(await enqueue(api)).statusCode, (await enqueue(api)).statusCode]).toEqual([201, 201]);
  const refused = await enqueue(api);
  expect(refused.statusCode).toBe(429);
  expect(refused.json().quota).toMatchObject({ limit: 'enqueuesPerSecond', value: 2 });
  expect(refused.headers['retry-after']).toBe('1');
  at(MIDNIGHT + 499);
  expect((await enqueue(api)).statusCode).toBe(429);
  at(MIDNIGHT + 500);
  expect((await enqueue(api)).statusCode).toBe(201);
});

it('a pause with an end is over then, to the millisecond', async () => {
  const { api, at } = await apiAt(MIDNIGHT - 1_000);
  const until = new Date(MIDNIGHT).toISOString();
  await api.call('PUT', '/v1/tenants/a/pause', { reason: 'night', mode: 'all', until }, PLATFORM);
  at(MIDNIGHT - 1);
  expect((await enqueue(api)).json()).toMatchObject({
    code: 'tenant-paused',
    suspension: { reason: 'night', until },
  });
  at(MIDNIGHT);
  expect((await enqueue(api)).statusCode).toBe(201);
  expect((await api.call('GET', '/v1/tenants/a/quota')).json().suspended).toBeNull();
});
