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

describe('leases', () => {
  it('end with the first outcome; a repeat of it is the same, another is too late', async () => {
    const { leaseToken, snapshot } = await api.claimOne();
    const url = `/v1/jobs/${snapshot.jobId}`;
    const done = await api.call('POST', `${url}/complete`, { leaseToken, result: 1 });
    expect(done.json()).toMatchObject({ jobId: snapshot.jobId, status: 'completed', revision: 2 });
    expect((await api.call('POST', `${url}/complete`, { leaseToken, result: 1 })).statusCode).toBe(200);
    const late = await api.call('POST', `${url}/fail`, { leaseToken, error: { type: 'E', message: 'm' } });
    expect(codeOf(late)).toBe('lease-lost');
  });

  it('are worth nothing when made up, of another job, or of another tenant', async () => {
    const { leaseToken, snapshot } = await api.claimOne();
    const other = (await api.call('POST', '/v1/jobs', { type: 't' })).json<Job>();
    const url = `/v1/jobs/${snapshot.jobId}/complete`;
    const before = await api.parts.log.head();
    expect(codeOf(await api.call('POST', url, { leaseToken: 'made-up' }))).toBe('lease-lost');
    expect(codeOf(await api.call('POST', `/v1/jobs/${other.id}/complete`, { leaseToken }))).toBe(
      'lease-lost',
    );
    const asB = { authorization: 'Bearer admin-b' };
    expect((await api.call('POST', url, { leaseToken }, asB)).statusCode).toBe(409);
    const batch = await api.call(
      'POST',
      '/v1/claims/ack',
      { acknowledgements: [{ outcome: 'completed', leaseToken }] },
      asB,
    );
    expect(batch.json()).toMatchObject({ results: [{ kind: 'refused', problem: { code: 'lease-lost' } }] });
    expect(await api.parts.log.head()).toBe(before);
  });

  it('are settled in batches of mixed outcomes', async () => {
    const [one, two, three] = [await api.claimOne(), await api.claimOne(), await api.claimOne()];
    const response = await api.call('POST', '/v1/claims/ack', {
      acknowledgements: [
        { outcome: 'completed', leaseToken: one.leaseToken },
        { outcome: 'failed', leaseToken: two.leaseToken, error: { type: 'E', message: 'm' }, retry: 'never' },
        { outcome: 'released', leaseToken: three.leaseToken },
        { outcome: 'cancelled', leaseToken: 'stale' },
      ],
    });
    expect(response.json()).toMatchObject({
      results: [
        { kind: 'acknowledged', status: 'completed' },
        { kind: 'acknowledged', status: 'dead_lettered' },
        { kind: 'acknowledged', status: 'queued' },
        { kind: 'refused', problem: { code: 'lease-lost' } },
      ],
    });
    expect(response.headers['event-position']).toBe(String(await api.parts.log.head()));
  });

  it('of dead letters are followed by a replay with an edited payload, or a purge', async () => {
    const { leaseToken, snapshot } = await api.claimOne();
    const error = { type: 'E', message: 'm' };
    await api.call('POST', `/v1/jobs/${snapshot.jobId}/fail`, { leaseToken, error, retry: 'never' });
    const url = `/v1/dead-letters/${snapshot.jobId}`;
    expect((await api.call('GET', url)).json()).toMatchObject({
      job: { status: 'dead_lettered', lastError: error },
    });
    const replayed = await api.call('POST', `${url}/replay`, { payload: { fixed: true }, reason: 'edited' });
    expect(replayed.json()).toMatchObject({ status: 'queued', payload: { fixed: true } });
    expect(codeOf(await api.call('DELETE', `${url}?reason=old`))).toBe('not-dead-lettered');
    expect(codeOf(await api.call('GET', url))).toBe('not-dead-lettered');
  });
});
