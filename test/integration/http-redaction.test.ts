import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Caller, type LiveApi, startLiveApi } from '../support/live-api.ts';

const PAYLOAD =
  '{"to":"ann", "card":{"number":4111111111111111, "name":"Ann"},"n":1.10,"items":[{"token":"secret-of-item-1"}]}';
const HIDDEN =
  '{"to":"ann", "card":{"number":"[redacted]", "name":"Ann"},"n":1.10,"items":[{"token":"[redacted]"}]}';
const SECRETS = ['4111111111111111', 'secret-of-item-1', 'declined for 4111'];

let api: LiveApi;
let admin: Caller;
let viewer: Caller;
let producer: Caller;
let worker: Caller;
let id: string;

const text = async ({ token }: Caller, path: string): Promise<string> =>
  (await fetch(api.url + path, { headers: { authorization: `Bearer ${token}` } })).text();

/** As it was written: parsing and printing it again would change it. */
async function post({ token }: Caller, path: string, body: string) {
  const response = await fetch(api.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body,
  });
  const answer = await response.text();
  return { status: response.status, text: answer, body: JSON.parse(answer) };
}

beforeAll(async () => {
  const rules = '$.card.number,$.items[*].token';
  api = await startLiveApi({ REDACT: `viewer:${rules},error; producer:${rules}; worker:${rules},error` });
  const as = (role: 'admin' | 'viewer' | 'producer' | 'worker') => api.caller({ tenants: ['acme'], role });
  [admin, viewer, producer, worker] = [
    await as('admin'),
    await as('viewer'),
    await as('producer'),
    await as('worker'),
  ];
  const body = `{"type":"charge","maxAttempts":1,"payload":${PAYLOAD}}`;
  id = (await post(admin, '/v1/jobs', body)).body.id;
});
afterAll(() => api?.[Symbol.asyncDispose]());

describe('what a role must not see', () => {
  it('goes to the worker that claims it all the same', async () => {
    const claimed = await post(worker, '/v1/claims', '{"workerId":"w","waitMs":30000}');
    expect(claimed.text).toContain(`"payload":${PAYLOAD}`);
    const { leaseToken } = claimed.body.claims[0];
    const error = { type: 'CardError', message: 'declined for 4111', stack: 'at charge (4111)' };
    const failed = await worker.call('POST', `/v1/jobs/${id}/fail`, { leaseToken, error });
    expect(failed.body.status).toBe('dead_lettered');
    const position = { 'await-position': failed.headers.get('event-position') ?? '' };
    for (const list of ['/v1/jobs', `/v1/jobs/${id}/attempts`, '/v1/dead-letters', '/v1/dead-letters/groups'])
      expect((await admin.call('GET', list, undefined, position)).body.data).toHaveLength(1);
  });

  it('is hidden in every answer, and nothing else is', async () => {
    expect(await text(viewer, `/v1/jobs/${id}`)).toContain(`"payload":${HIDDEN}`);
    expect(await text(viewer, `/v1/jobs/${id}/events`)).toContain(`"payload":${HIDDEN}`);
    expect(await text(viewer, '/v1/events')).toContain(`"payload":${HIDDEN}`);
    expect(await text(viewer, `/v1/jobs/${id}?revision=0`)).toContain(`"payload":${HIDDEN}`);
    const addresses = [
      `/v1/jobs/${id}`,
      `/v1/jobs/${id}?revision=1`,
      `/v1/jobs/${id}/events`,
      `/v1/jobs/${id}/attempts`,
      '/v1/jobs',
      '/v1/events',
      '/v1/dead-letters',
      '/v1/dead-letters/groups',
      `/v1/dead-letters/${id}`,
    ];
    for (const address of addresses) {
      const seen = await text(viewer, address);
      for (const secret of SECRETS) expect(seen, address).not.toContain(secret);
      expect(seen, address).toMatch(/charge|CardError/);
    }
    expect(JSON.parse(await text(viewer, `/v1/dead-letters/${id}`)).job.lastError).toMatchObject({
      type: 'CardError',
      message: '[redacted]',
      stack: '[redacted]',
    });
  });

  it('is hidden in event streams', async () => {
    const stop = new AbortController();
    const response = await fetch(`${api.url}/v1/events/stream?after=0`, {
      headers: { authorization: `Bearer ${viewer.token}` },
      signal: stop.signal,
    });
    let seen = '';
    const decoder = new TextDecoder();
    for await (const part of response.body ?? []) {
      seen += decoder.decode(part, { stream: true });
      if (seen.includes('event: caught-up')) break;
    }
    stop.abort();
    expect(seen).toContain(`"payload":${HIDDEN}`);
    for (const secret of SECRETS) expect(seen).not.toContain(secret);
  });

  it('is shown to roles without rules, byte for byte, and errors to those that may see errors', async () => {
    expect(await text(admin, `/v1/jobs/${id}`)).toContain(`"payload":${PAYLOAD}`);
    expect(await text(admin, '/v1/events')).toContain(`"payload":${PAYLOAD}`);
    expect(await text(producer, `/v1/dead-letters/${id}`)).toContain('declined for 4111');
  });

  it('can not be replaced by those who would not know what they replace', async () => {
    const edited = `{"payload":${HIDDEN}}`;
    const open = await post(
      producer,
      '/v1/jobs',
      `{"type":"later","runAt":"${new Date(Date.now() + 3_600_000).toISOString()}","payload":${PAYLOAD}}`,
    );
    expect(open.text).toContain(`"payload":${HIDDEN}`);
    const retried = await post(producer, `/v1/jobs/${open.body.id}/retry`, edited);
    expect(retried).toMatchObject({ status: 403, body: { code: 'payload-redacted' } });
    const amended = await producer.call('PATCH', `/v1/jobs/${open.body.id}`, { payload: {} });
    expect(amended).toMatchObject({ status: 403, body: { code: 'payload-redacted' } });
    expect((await producer.call('PATCH', `/v1/jobs/${open.body.id}`, { priority: 1 })).status).toBe(200);
    expect(await text(admin, `/v1/jobs/${open.body.id}`)).toContain(`"payload":${PAYLOAD}`);
  });

  it('may be nothing: then a payload can be edited', async () => {
    const runAt = new Date(Date.now() + 3_600_000).toISOString();
    const plain = (await producer.call('POST', '/v1/jobs', { type: 'later', payload: { a: 1 }, runAt })).body;
    const amended = await producer.call('PATCH', `/v1/jobs/${plain.id}`, { payload: { a: 2 } });
    expect(amended).toMatchObject({ status: 200, body: { payload: { a: 2 } } });
  });

  it('is not told by repeating the request of somebody who sees it', async () => {
    const headers = { 'idempotency-key': 'same' };
    const body = { type: 'pay', payload: { card: { number: 4222 } } };
    const first = await admin.call('POST', '/v1/jobs', body, headers);
    expect(first.body.payload).toEqual(body.payload);
    const again = await producer.call('POST', '/v1/jobs', body, headers);
    expect(again).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
  });
});
