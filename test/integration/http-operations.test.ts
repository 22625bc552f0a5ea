import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Operation } from '../../src/adapters/http/contract/operations.ts';
import { type LiveApi, startLiveApi } from '../support/live-api.ts';
import { waitUntil } from '../support/wait-until.ts';

let api: LiveApi;
beforeAll(async () => {
  api = await startLiveApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

describe('operations', () => {
  it('find first, then change what they found, and count it', async () => {
    const { call } = await api.caller();
    const jobs = [...Array(230).fill({ type: 'a', queue: 'q' }), ...Array(5).fill({ type: 'b', queue: 'q' })];
    const bulk = await call('POST', '/v1/jobs/bulk', { jobs });
    const wait = { 'await-position': bulk.headers.get('event-position') ?? '' };
    const order = { action: 'cancel', filter: { type: 'a' }, reason: 'withdrawn' };
    const preview = await call('POST', '/v1/operations', { ...order, dryRun: true }, wait);
    expect([preview.status, preview.body.matched, preview.body.more]).toEqual([200, 230, false]);
    const accepted = await call('POST', '/v1/operations', order);
    expect(accepted.status).toBe(202);
    const done = await waitUntil('it is done', async () => {
      const { body } = await call('GET', accepted.headers.get('location') ?? '');
      return (body as Operation).status === 'running' ? undefined : (body as Operation);
    });
    expect(done).toMatchObject({ status: 'done', seen: 230, changed: 230, refused: 0, error: null });
    const one = bulk.body.results[0].job.id;
    expect((await call('GET', `/v1/jobs/${one}`)).body).toMatchObject({
      status: 'cancelled',
      reason: 'withdrawn',
    });
    const last = bulk.body.results.at(-1).job.id;
    expect((await call('GET', `/v1/jobs/${last}`)).body).toMatchObject({ status: 'queued' });
    expect((await call('GET', '/v1/operations')).body.data).toMatchObject([{ id: done.id }]);
    const stranger = await api.caller();
    expect((await stranger.call('GET', `/v1/operations/${done.id}`)).status).toBe(404);
  });

  it('count what could not be changed', async () => {
    const { call } = await api.caller();
    const { body: job } = await call('POST', '/v1/jobs', { type: 'a' });
    const ids = [job.id, '019340a1-7f3e-7000-8c11-2a3b4c5d6e7f'];
    const accepted = await call('POST', '/v1/operations', { action: 'purge', ids, reason: 'old' });
    const done = await waitUntil('it is done', async () => {
      const { body } = await call('GET', accepted.headers.get('location') ?? '');
      return body.status === 'running' ? undefined : body;
    });
    expect(done).toMatchObject({ status: 'done', seen: 2, changed: 0, refused: 2 });
  });

  it.each([
    [{ action: 'cancel' }, ''],
    [{ action: 'cancel', filter: {} }, '/filter'],
    [{ action: 'cancel', filter: { type: 'a' }, ids: ['019340a1-7f3e-7000-8c11-2a3b4c5d6e7f'] }, ''],
    [{ action: 'purge', filter: { type: 'a' } }, '/reason'],
    [{ action: 'replay', filter: { tag: 'a' } }, '/filter'],
  ])('refuse %j', async (order, pointer) => {
    const { call } = await api.caller();
    const refused = await call('POST', '/v1/operations', order);
    expect(refused.status).toBe(400);
    expect(refused.body.errors[0].pointer).toBe(pointer);
  });
});
