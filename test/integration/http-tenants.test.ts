import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Job } from '../../src/adapters/http/contract/jobs.ts';
import type { Problem } from '../../src/adapters/http/contract/problem.ts';
import { type TestApi, testApi } from '../support/api.ts';

let api: TestApi;
beforeEach(async () => {
  api = await testApi();
});
afterEach(() => api[Symbol.asyncDispose]());

const codeOf = (response: { json<T>(): T }): string => response.json<Problem>().code;

describe('credentials', () => {
  const as = (key: string) => ({ authorization: `Bearer ${key}` });

  it('are wanted everywhere under /v1', async () => {
    for (const headers of [{ authorization: '' }, as('unknown'), { authorization: 'Basic admin-a' }]) {
      const response = await api.call('GET', '/v1/jobs', undefined, headers);
      expect(response.statusCode).toBe(401);
      expect(response.headers['www-authenticate']).toBe('Bearer');
    }
  });

  it('never reach the jobs of another tenant, which look like none', async () => {
    const { id } = (await api.call('POST', '/v1/jobs', { type: 't' })).json<Job>();
    const theirs = as('admin-b');
    const answers = await Promise.all([
      api.call('GET', `/v1/jobs/${id}`, undefined, theirs),
      api.call('GET', `/v1/jobs/${id}/events`, undefined, theirs),
      api.call('GET', `/v1/jobs/${id}/attempts`, undefined, theirs),
      api.call('POST', `/v1/jobs/${id}/cancel`, {}, theirs),
      api.call('POST', `/v1/jobs/${id}/retry`, {}, theirs),
      api.call('PATCH', `/v1/jobs/${id}`, { priority: 1 }, theirs),
      api.call('GET', `/v1/dead-letters/${id}`, undefined, theirs),
      api.call('POST', `/v1/dead-letters/${id}/replay`, {}, theirs),
      api.call('DELETE', `/v1/dead-letters/${id}?reason=x`, undefined, theirs),
    ]);
    expect(answers.map((answer) => `${answer.statusCode} ${codeOf(answer)}`)).toEqual(
      answers.map(() => '404 job-not-found'),
    );
    expect(await api.parts.log.head()).toBe(1n);
  });

  it('allow what their role allows', async () => {
    const status = async (key: string, method: 'GET' | 'POST' | 'PUT', url: string, body?: object) =>
      (await api.call(method, url, body, as(key))).statusCode;
    expect(await status('viewer-a', 'GET', '/v1/jobs')).toBe(200);
    expect(await status('viewer-a', 'POST', '/v1/jobs', { type: 't' })).toBe(403);
    expect(await status('worker-a', 'POST', '/v1/jobs', { type: 't' })).toBe(403);
    expect(await status('worker-a', 'POST', '/v1/claims', { workerId: 'w' })).toBe(204);
    expect(await status('producer-a', 'POST', '/v1/claims', { workerId: 'w' })).toBe(403);
    expect(await status('producer-a', 'PUT', '/v1/queues/q/pause')).toBe(403);
    expect(await status('platform', 'POST', '/v1/projections/jobs/rebuild')).toBe(403);
  });

  it('for many tenants name one with On-Behalf-Of', async () => {
    const body = { type: 't' };
    expect(codeOf(await api.call('POST', '/v1/jobs', body, as('platform')))).toBe('tenant-required');
    const named = await api.call('POST', '/v1/jobs', body, { ...as('platform'), 'on-behalf-of': 'c' });
    expect(named.json()).toMatchObject({ tenantId: 'c' });
    const foreign = await api.call('POST', '/v1/jobs', body, { 'on-behalf-of': 'b' });
    expect(codeOf(foreign)).toBe('forbidden');
  });

  it('and correlation come with every event', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const response = await api.call(
      'POST',
      '/v1/jobs',
      { type: 't' },
      { 'correlation-id': 'order-7', traceparent },
    );
    const [event] = await api.parts.log.readStream(`job-a.${response.json<Job>().id}`);
    expect(event?.metadata).toMatchObject({
      actor: { id: 'admin', auth: 'api_key' },
      correlationId: 'order-7',
      traceparent,
    });
    expect(response.headers['request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });
});
