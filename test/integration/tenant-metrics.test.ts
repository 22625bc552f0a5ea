import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Caller, type LiveApi, startLiveApi } from '../support/live-api.ts';
import { waitUntil } from '../support/wait-until.ts';

let api: LiveApi;
let platform: Caller;
beforeAll(async () => {
  api = await startLiveApi({ TENANT_METRICS: '2' });
  platform = await api.caller({ tenants: '*' });
});
afterAll(() => api[Symbol.asyncDispose]());

const metrics = async (): Promise<string> => (await fetch(`${api.url}/metrics`)).text();

it('figures of tenants are bounded: those that use most, and all others as one', async () => {
  await platform.call('PUT', '/v1/plans/pro', { limits: { jobsPerDay: 100 } });
  const callers: Caller[] = [];
  for (const jobs of [1, 2, 5, 9]) {
    const caller = await api.caller();
    callers.push(caller);
    await caller.call('POST', '/v1/jobs/bulk', { jobs: Array.from({ length: jobs }, () => ({ type: 't' })) });
  }
  const [, , third, most] = callers;
  await platform.call('PUT', `/v1/tenants/${most?.tenantId}/quota`, { plan: 'pro' });
  const text = await waitUntil('the figures are there', async () => {
    const found = await metrics();
    return found.includes('eventzr_tenant_limit{') && found;
  });
  const usage = text.split('\n').filter((line) => /^eventzr_tenant_usage\{.*unfinishedJobs/.test(line));
  expect(usage.toSorted()).toEqual([
    'eventzr_tenant_usage{tenant="all others",limit="unfinishedJobs"} 3',
    `eventzr_tenant_usage{tenant="${third?.tenantId}",limit="unfinishedJobs"} 5`,
    `eventzr_tenant_usage{tenant="${most?.tenantId}",limit="unfinishedJobs"} 9`,
  ]);
  expect(text).toContain(`eventzr_tenant_limit{tenant="${most?.tenantId}",limit="jobsPerDay"} 100`);
});

it('refusals are counted by limit, and waits by plan', async () => {
  await platform.call('PUT', '/v1/plans/tiny', { limits: { jobsPerDay: 2 } });
  const caller = await api.caller();
  await platform.call('PUT', `/v1/tenants/${caller.tenantId}/quota`, { plan: 'tiny' });
  await caller.call('POST', '/v1/jobs/bulk', { jobs: Array.from({ length: 5 }, () => ({ type: 't' })) });
  await caller.call('POST', '/v1/claims', { workerId: 'w', max: 2, waitMs: 10_000 });
  const text = await metrics();
  expect(text).toContain('eventzr_quota_refused_total{limit="jobsPerDay"} 3');
  expect(text).toMatch(/eventzr_job_wait_seconds_count\{plan="tiny"\} [12]/);
});
