import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiKey } from '../../src/adapters/postgres/api-keys.ts';
import { JobsClient } from '../../src/sdk/index.ts';
import { type Caller, type LiveApi, startLiveApi } from '../support/live-api.ts';
import { waitUntil } from '../support/wait-until.ts';

let api: LiveApi;
let other: LiveApi;
beforeAll(async () => {
  api = await startLiveApi();
  other = await startLiveApi({}, api.database);
});
afterAll(async () => {
  await other?.[Symbol.asyncDispose]();
  await api?.[Symbol.asyncDispose]();
});

const as = (token: string) => ({ authorization: `Bearer ${token}` });
const statusOf = async (url: string, token: string): Promise<number> =>
  (await fetch(`${url}/v1/jobs`, { headers: as(token) })).status;
const codes = async (answers: readonly ReturnType<Caller['call']>[]) =>
  (await Promise.all(answers)).map(({ status, body }) => `${status} ${body?.code ?? ''}`.trim());

describe('keys', () => {
  it('are made by admins, shown once, listed without their secret', async () => {
    const { call, tenantId } = await api.caller();
    const made = await call('POST', '/v1/keys', { name: 'shop', role: 'producer', reason: 'new shop' });
    expect(made).toMatchObject({
      status: 201,
      body: { name: 'shop', tenants: [tenantId], role: 'producer', expiresAt: null, revokedAt: null },
    });
    expect(made.headers.get('location')).toBe(`/v1/keys/${made.body.id}`);
    expect(await statusOf(api.url, made.body.token)).toBe(200);
    const { body } = await call('GET', '/v1/keys');
    expect(body.data.map(({ name }: { name: string }) => name)).toEqual(['shop', 'test']);
    expect(JSON.stringify(body)).not.toContain(made.body.token.slice(-20));
  });

  it('made for one tenant that is named twice act for it without further words', async () => {
    const { call, tenantId } = await api.caller();
    const { body } = await call('POST', '/v1/keys', {
      name: 'twice',
      role: 'viewer',
      tenants: [tenantId, tenantId],
    });
    expect(body.tenants).toEqual([tenantId]);
    expect(await statusOf(api.url, body.token)).toBe(200);
  });

  it('are refused within a second in every process once they are revoked', async () => {
    const { call } = await api.caller();
    const { id, token } = (await call('POST', '/v1/keys', { name: 'k', role: 'viewer' })).body;
    const urls = [api.url, other.url];
    expect(await Promise.all(urls.map((url) => statusOf(url, token)))).toEqual([200, 200]);
    expect((await call('DELETE', `/v1/keys/${id}?reason=leaked`)).status).toBe(204);
    const late: string[] = [];
    const revokedAt = performance.now();
    await waitUntil('both refuse it', async () => {
      const askedAfter = performance.now() - revokedAt;
      const answers = await Promise.all(urls.map((url) => statusOf(url, token)));
      if (answers.includes(200) && askedAfter > 1_000) late.push(answers.join());
      return answers.every((status) => status === 401 || status === 429);
    });
    expect(late).toEqual([]);
    expect((await call('DELETE', `/v1/keys/${id}`)).status).toBe(204);
    expect((await call('POST', `/v1/keys/${id}/rotate`, {})).body.code).toBe('key-ended');
  });

  it('take what is open with them: event streams and long polls', async () => {
    const { call } = await api.caller();
    const { id, token } = (await call('POST', '/v1/keys', { name: 'k', role: 'worker' })).body;
    const stream = await fetch(`${other.url}/v1/events/stream`, { headers: as(token) });
    expect(stream.status).toBe(200);
    const polled = fetch(`${other.url}/v1/claims`, {
      method: 'POST',
      headers: { ...as(token), 'content-type': 'application/json' },
      body: JSON.stringify({ workerId: 'w', waitMs: 30_000 }),
    });
    await waitUntil('the poll has arrived', async () => {
      const text = await (await fetch(`${other.url}/metrics`)).text();
      return /^eventzr_http_long_polls 1$/m.test(text);
    });
    await call('DELETE', `/v1/keys/${id}`);
    // Both end by themselves: the test would time out otherwise.
    expect(await stream.text()).toContain('retry:');
    expect((await polled).status).toBe(204);
    // Sooner than the poll would have ended anyway.
  }, 30_000);

  it('get a new secret, and the one before works for as long as was asked', async () => {
    const { call } = await api.caller();
    const { id, token } = (await call('POST', '/v1/keys', { name: 'k', role: 'viewer' })).body;
    const rotated = await call('POST', `/v1/keys/${id}/rotate`, { graceMs: 3_600_000 });
    expect(rotated).toMatchObject({ status: 200, body: { id, previousSecretUntil: expect.any(String) } });
    const both = [token, rotated.body.token];
    expect(await Promise.all(both.map((one) => statusOf(api.url, one)))).toEqual([200, 200]);
    const again = await call('POST', `/v1/keys/${id}/rotate`);
    expect(again.body.previousSecretUntil).toBeNull();
    await waitUntil('only the newest works', async () => {
      const statuses = await Promise.all([...both, again.body.token].map((one) => statusOf(other.url, one)));
      return statuses.map((status) => status === 200).join() === 'false,false,true';
    });
  });

  it('never make a key that can do more than themselves', async () => {
    const { call, tenantId } = await api.caller();
    const end = Date.now() + 3_600_000;
    const brief = await createApiKey(api.database.pool, {
      name: 'brief',
      tenants: [tenantId],
      role: 'admin',
      expiresAt: end,
    });
    const ends = (ms: number) => ({ name: 'k', role: 'viewer', expiresAt: new Date(ms).toISOString() });
    const briefly = (body: object) => call('POST', '/v1/keys', body, as(brief.token));
    const lasting = (await call('POST', '/v1/keys', { name: 'lasting', role: 'admin' })).body;
    expect(
      await codes([
        call('POST', '/v1/keys', { name: 'k', role: 'viewer', tenants: ['elsewhere'] }),
        call('POST', '/v1/keys', { name: 'k', role: 'viewer', tenants: [tenantId, 'elsewhere'] }),
        call('POST', '/v1/keys', { name: 'k', role: 'viewer', tenants: '*' }),
        briefly({ name: 'k', role: 'viewer' }),
        briefly(ends(end + 1_000)),
        call('POST', `/v1/keys/${lasting.id}/rotate`, {}, as(brief.token)),
        briefly(ends(end)),
      ]),
    ).toEqual([...Array(6).fill('403 forbidden'), '201']);
    expect(await codes([call('POST', '/v1/keys', ends(Date.now() - 1))])).toEqual(['400 validation']);
  });

  it('of other tenants, of several tenants and of the platform look like none to a tenant', async () => {
    const { call, tenantId } = await api.caller();
    const platform = await api.caller({ tenants: '*' });
    const { body: shared } = await platform.call('POST', '/v1/keys', {
      name: 'shared',
      role: 'worker',
      tenants: [tenantId, 'elsewhere'],
    });
    expect((await call('GET', '/v1/keys')).body.data).toHaveLength(1);
    const foreign = [shared.id, platform.keyId, 'aaaaaaaaaaaa'];
    expect(
      await codes([
        ...foreign.map((id) => call('DELETE', `/v1/keys/${id}`)),
        ...foreign.map((id) => call('POST', `/v1/keys/${id}/rotate`, {})),
      ]),
    ).toEqual(Array(6).fill('404 not-found'));
    const ids = (await platform.call('GET', '/v1/keys')).body.data.map(({ id }: { id: string }) => id);
    expect(ids).toEqual(expect.arrayContaining([shared.id, platform.keyId]));
    const named = await platform.call('GET', `/v1/keys?tenant=${tenantId}`);
    expect(named.body.data).toHaveLength(1);
  });

  it('are listed page by page, each once, whatever ends or begins to work meanwhile', async () => {
    const { call, tenantId } = await api.caller();
    const made: string[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      made.push((await call('POST', '/v1/keys', { name, role: 'viewer' })).body.id);
    await call('DELETE', `/v1/keys/${made[4]}`);
    const page = async (query: string) => (await call('GET', `/v1/keys?limit=2${query}`)).body;
    const names = ({ data }: { data: readonly { name: string }[] }) => data.map(({ name }) => name);
    const first = await page('');
    expect([names(first), first.prevCursor]).toEqual([['d', 'c'], null]);
    await call('DELETE', `/v1/keys/${made[3]}`);
    await call('DELETE', `/v1/keys/${made[1]}`);
    await call('POST', '/v1/keys', { name: 'f', role: 'viewer' });
    const second = await page(`&cursor=${first.nextCursor}`);
    const third = await page(`&cursor=${second.nextCursor}`);
    expect([names(second), names(third), third.nextCursor]).toEqual([['b', 'a'], ['test', 'e'], null]);
    expect(names(await page(`&cursor=${third.prevCursor}`))).toEqual(['b', 'a']);
    expect(names(await page(''))).toEqual(['f', 'c']);
    const other = (await call('GET', `/v1/audit?limit=2&tenant=${tenantId}`)).body.nextCursor;
    const key = [Number.MIN_SAFE_INTEGER, made[0]];
    const forged = Buffer.from(JSON.stringify({ list: 'keys', towards: 'older', key })).toString('base64url');
    const refused = ['x', other, forged].map((cursor) => call('GET', `/v1/keys?cursor=${cursor}`));
    expect(await codes(refused)).toEqual(Array(3).fill('400 invalid-cursor'));
  });

  it('are all found by whoever follows the pages, however many there are', async () => {
    const { tenantId, token } = await api.caller();
    await api.database.pool.query(
      `insert into api_keys (key_id, secret_hash, name, tenants, role)
      select lpad(translate(n::text, '6789', 'abcd'), 12, '0'), sha256(n::text::bytea), 'key', array[$1], 'viewer'
      from generate_series(1, 1100) as n`,
      [tenantId],
    );
    const client = new JobsClient({ url: api.url, apiKey: token });
    const found: string[] = [];
    for await (const { id } of client.keys.listAll({ limit: 200 })) found.push(id);
    expect(found).toHaveLength(1_101);
    expect(new Set(found).size).toBe(1_101);
    expect((await client.keys.list({ limit: 3, tenant: tenantId })).data).toHaveLength(3);
  });

  it('that several rotate at once end with one secret, which somebody was told', async () => {
    const { call } = await api.caller();
    const { id } = (await call('POST', '/v1/keys', { name: 'k', role: 'viewer' })).body;
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => call('POST', `/v1/keys/${id}/rotate`, {})),
    );
    const told = answers.flatMap(({ body }) => body.token ?? []);
    const working = await waitUntil('old secrets are forgotten', async () => {
      const statuses = await Promise.all(told.map((token) => statusOf(api.url, token)));
      const count = statuses.filter((status) => status === 200).length;
      return count <= 1 ? { count } : undefined;
    });
    expect(working.count).toBe(1);
  });
});
