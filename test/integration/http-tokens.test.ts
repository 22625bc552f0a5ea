import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiKey } from '../../src/adapters/postgres/api-keys.ts';
import { type IdentityProvider, identityProvider } from '../support/identity-provider.ts';
import { type LiveApi, startLiveApi } from '../support/live-api.ts';
import { waitUntil } from '../support/wait-until.ts';

let provider: IdentityProvider;
let api: LiveApi;
beforeAll(async () => {
  provider = await identityProvider();
  api = await startLiveApi({
    JWT_ISSUER: provider.issuer,
    JWT_AUDIENCE: 'jobs',
    JWT_ROLE_CLAIM: 'realm_access.roles',
    JWT_ROLES: 'jobs-ops=operator,jobs-dev=viewer',
  });
});
afterAll(async () => {
  await api?.[Symbol.asyncDispose]();
  await provider?.[Symbol.asyncDispose]();
});

const claims = (roles: readonly string[] = ['jobs-ops'], tenant: unknown = 'acme') => ({
  tenant_id: tenant,
  realm_access: { roles },
});

async function ask(
  token: string,
  path = '/v1/queues',
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
) {
  const response = await fetch(api.url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...headers },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text && JSON.parse(text) };
}

const outcome = async (token: string): Promise<string> => {
  const { status, body } = await ask(token);
  return `${status} ${body.code ?? ''}`.trim();
};

describe('tokens of an identity provider', () => {
  it('act for their tenant, and the actor of what they do is their subject', async () => {
    const token = await provider.token(claims(), { subject: 'ann@example.com' });
    expect((await ask(token, '/v1/queues/mail/pause?', { method: 'PUT' })).status).toBe(204);
    const entry = await waitUntil(
      'the audit has it',
      async () => (await ask(token, '/v1/audit')).body.data[0],
    );
    expect(entry).toMatchObject({
      tenantId: 'acme',
      actor: { id: 'ann@example.com', auth: 'jwt' },
      action: 'QueuePaused',
      subject: 'mail',
    });
  });

  it('have the roles that their provider gives, in its words or ours', async () => {
    const status = async (roles: readonly string[], path: string) =>
      (await ask(await provider.token(claims(roles)), path)).status;
    expect(await status(['jobs-dev'], '/v1/audit')).toBe(403);
    expect(await status(['offline_access', 'jobs-dev', 'operator'], '/v1/audit')).toBe(200);
    expect(await status(['emperor'], '/v1/queues')).toBe(401);
    expect(await status([], '/v1/queues')).toBe(401);
  });

  it('are for one tenant, for several, or for all', async () => {
    const several = await provider.token(claims(['operator'], ['acme', 'globex']));
    const all = await provider.token(claims(['operator'], '*'));
    const as = (tenant: string) => ({ headers: { 'on-behalf-of': tenant } });
    expect((await ask(several)).body.code).toBe('tenant-required');
    expect((await ask(several, '/v1/queues?tenant=globex')).status).toBe(200);
    expect((await ask(several, '/v1/queues', as('initech'))).status).toBe(403);
    expect((await ask(all, '/v1/queues', as('initech'))).status).toBe(200);
    expect(await outcome(await provider.token(claims(['operator'], 'not a tenant')))).toMatch(/^401/);
    expect(await outcome(await provider.token(claims(['operator'], null)))).toMatch(/^401/);
  });

  it('make and rotate only keys that end within a year or so', async () => {
    const token = await provider.token(claims(['admin'], 'keyed'));
    const DAY = 86_400_000;
    const inDays = (days: number) => new Date(Date.now() + days * DAY).toISOString();
    const post = async (path: string, body: object) => {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const response = await fetch(api.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
      return { status: response.status, body: (await response.json()) as { id?: string } };
    };
    const named = { status: 400, body: { code: 'validation', errors: [{ pointer: '/expiresAt' }] } };
    const key = { name: 'k', role: 'viewer' };
    expect(await post('/v1/keys', key)).toMatchObject(named);
    expect(await post('/v1/keys', { ...key, expiresAt: inDays(367) })).toMatchObject(named);
    const made = await post('/v1/keys', { ...key, expiresAt: inDays(365) });
    expect(made.status).toBe(201);
    expect((await post(`/v1/keys/${made.body.id}/rotate`, {})).status).toBe(200);
    const lasting = await createApiKey(api.database.pool, { name: 'l', tenants: ['keyed'], role: 'viewer' });
    const rotate = `/v1/keys/${lasting.keyId}/rotate`;
    expect(await post(rotate, {})).toMatchObject(named);
    expect(await post(rotate, { expiresAt: inDays(367) })).toMatchObject(named);
    expect((await post(rotate, { expiresAt: inDays(30) })).status).toBe(200);
  });

  it('differ in the clock by half a minute at most', async () => {
    const now = Math.floor(Date.now() / 1_000);
    expect(await outcome(await provider.token(claims(), { expiresAt: now - 15 }))).toBe('200');
    expect(await outcome(await provider.token(claims(), { notBefore: now + 15 }))).toBe('200');
  });

  it('are refused when they are not meant for us, not now, or not by whom they say', async () => {
    const now = Math.floor(Date.now() / 1_000);
    const bad = {
      expired: await provider.token(claims(), { expiresAt: now - 3_600 }),
      endless: await provider.token(claims(), { expiresAt: null }),
      early: await provider.token(claims(), { notBefore: now + 3_600 }),
      audience: await provider.token(claims(), { audience: 'billing' }),
      issuer: await provider.token(claims(), { issuer: 'https://evil.example.com' }),
      nobody: await provider.token(claims(), { subject: null }),
      unsigned: provider.unsignedToken(claims()),
      // The public key as a shared secret: the classic.
      symmetric: await provider.symmetricToken(claims()),
      stranger: await provider.strangersToken(claims()),
      changed: (await provider.token(claims())).replace(
        /\.[\w-]+\./,
        `.${provider.payload(claims(), 'root')}.`,
      ),
    };
    for (const [what, token] of Object.entries(bad)) {
      // Ten failures are free; what counts here is that none gets in.
      expect(`${what} ${await outcome(token)}`).toMatch(/ (401 unauthenticated|429 too-many-attempts)$/);
    }
    expect(await outcome(await provider.token(claims()))).toBe('200');
  });

  it('with a key that is new are known as soon as the set may be asked again', async () => {
    await using fresh = await identityProvider();
    await using mine = await startLiveApi({
      JWT_ISSUER: fresh.issuer,
      JWT_AUDIENCE: 'jobs',
      JWT_JWKS_URL: fresh.jwksUrl,
    });
    const get = async (token: string) =>
      (await fetch(`${mine.url}/v1/queues`, { headers: { authorization: `Bearer ${token}` } })).status;
    const flat = { tenant_id: 'acme', role: 'viewer' };
    await fresh.rotate();
    const token = await fresh.token(flat);
    expect(await get(token)).toBe(200);
    expect(fresh.discoveries()).toBe(0);
    const reads = fresh.reads();
    await fresh.rotate();
    const newer = await fresh.token(flat);
    expect(await get(newer)).toBe(401);
    expect(await get(token)).toBe(200);
    // Within the cool-down, unknown keys do not make us ask again and again.
    expect(fresh.reads()).toBe(reads);
  });
});

describe('while the identity provider is away', () => {
  it('its tokens get 503, keys go on, and it is asked again when it is back', async () => {
    await using away = await identityProvider();
    await using mine = await startLiveApi({ JWT_ISSUER: away.issuer, JWT_AUDIENCE: 'jobs' });
    const token = await away.token({ tenant_id: 'acme', role: 'viewer' });
    const get = async () => {
      const answer = await fetch(`${mine.url}/v1/queues`, { headers: { authorization: `Bearer ${token}` } });
      return {
        status: answer.status,
        retryAfter: answer.headers.get('retry-after'),
        text: await answer.text(),
      };
    };
    away.fail(true);
    const refused = await get();
    expect(refused).toMatchObject({ status: 503, retryAfter: '1' });
    expect(JSON.parse(refused.text).code).toBe('identity-unavailable');
    const { call } = await mine.caller();
    expect((await call('GET', '/v1/queues')).status).toBe(200);
    away.fail(false);
    await waitUntil('it is asked again', async () => (await get()).status === 200);
    away.fail(true);
    // What is known is good for a while.
    expect((await get()).status).toBe(200);
  });
});
