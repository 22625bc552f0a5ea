import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LiveApi, startLiveApi } from '../support/live-api.ts';
import { waitUntil } from '../support/wait-until.ts';

let api: LiveApi;
beforeAll(async () => {
  api = await startLiveApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

describe('Idempotency-Key', () => {
  it('fifty times at once makes one job; later it is answered as the first time', async () => {
    const { call } = await api.caller();
    const key = { 'idempotency-key': 'order-7' };
    const enqueue = () => call('POST', '/v1/jobs', { type: 't', payload: { a: 1 } }, key);
    const answers = await Promise.all(Array.from({ length: 50 }, enqueue));
    const created = answers.filter(({ status }) => status === 201);
    const others = answers.filter(({ status }) => status !== 201);
    expect(created.length).toBeGreaterThan(0);
    expect(new Set(created.map(({ body }) => body.id)).size).toBe(1);
    expect(others.map(({ status, body }) => `${status} ${body.code}`)).toEqual(
      others.map(() => '409 idempotency-in-progress'),
    );
    const again = await waitUntil('the answer is kept', async () => {
      const answer = await enqueue();
      return answer.headers.get('idempotent-replayed') === 'true' ? answer : undefined;
    });
    expect(again.status).toBe(201);
    expect(again.body).toEqual(created[0]?.body);
    expect(again.headers.get('event-position')).toBe(created[0]?.headers.get('event-position'));
    const position = again.headers.get('event-position') ?? '';
    const list = await call('GET', '/v1/jobs', undefined, { 'await-position': position });
    expect(list.body.data).toHaveLength(1);
  });

  it('is refused for another body, and free for another tenant', async () => {
    const { call } = await api.caller();
    const key = { 'idempotency-key': 'k' };
    const first = await call('POST', '/v1/jobs', { type: 't' }, key);
    const reused = await call('POST', '/v1/jobs', { type: 'other' }, key);
    expect([reused.status, reused.body.code]).toEqual([422, 'idempotency-key-reused']);
    const other = await api.caller();
    const theirs = await other.call('POST', '/v1/jobs', { type: 't' }, key);
    expect(theirs.status).toBe(201);
    expect(theirs.body.id).not.toBe(first.body.id);
  });

  it('is not used up by a request that was refused for its form', async () => {
    const { call } = await api.caller();
    const key = { 'idempotency-key': 'k' };
    expect((await call('POST', '/v1/jobs', { typ: 't' }, key)).status).toBe(400);
    expect((await call('POST', '/v1/jobs', { type: 't' }, key)).status).toBe(201);
  });

  it('repeats the answer to a change, too', async () => {
    const { call } = await api.caller();
    const { body: job } = await call('POST', '/v1/jobs', { type: 't' });
    const cancel = () => call('POST', `/v1/jobs/${job.id}/cancel`, {}, { 'idempotency-key': 'c' });
    const [first, again] = [await cancel(), await cancel()];
    expect(again).toMatchObject({ status: 200, body: first.body });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
  });
});
