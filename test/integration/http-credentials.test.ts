import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiKey, listApiKeys, revokeApiKey } from '../../src/adapters/postgres/api-keys.ts';
import { type LiveApi, startLiveApi } from '../support/live-api.ts';
import { waitUntil } from '../support/wait-until.ts';

let api: LiveApi;
beforeAll(async () => {
  api = await startLiveApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

describe('API keys', () => {
  it('work for their tenant until they are revoked', async () => {
    const { call, keyId, tenantId } = await api.caller();
    expect((await call('GET', '/v1/jobs')).status).toBe(200);
    expect(await revokeApiKey(api.database.pool, keyId)).toBe(true);
    expect(await revokeApiKey(api.database.pool, keyId)).toBe(false);
    await waitUntil('the key is refused', async () => (await call('GET', '/v1/jobs')).status === 401);
    const [row] = await listApiKeys(api.database.pool, tenantId);
    expect(row).toMatchObject({ keyId, tenants: [tenantId], role: 'admin', revokedAt: expect.any(Number) });
  });

  it('are not taken when they have expired, or differ in one letter', async () => {
    const expiresAt = Date.now() - 1_000;
    const old = await createApiKey(api.database.pool, {
      name: 'old',
      tenants: ['a'],
      role: 'admin',
      expiresAt,
    });
    const good = await createApiKey(api.database.pool, { name: 'good', tenants: ['a'], role: 'admin' });
    const last = good.token.at(-1) === 'A' ? 'Q' : 'A';
    for (const token of [old.token, `${good.token.slice(0, -1)}${last}`, 'ezk_short', `${good.token}x`]) {
      const response = await fetch(`${api.url}/v1/jobs`, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect(response.status).toBe(401);
    }
  });

  it('are kept as hashes only, and say when they were last used', async () => {
    const { token, call, tenantId } = await api.caller();
    await call('GET', '/v1/jobs');
    await waitUntil(
      'the use is noted',
      async () => (await listApiKeys(api.database.pool, tenantId))[0]?.lastUsedAt,
    );
    const { rows } = await api.database.pool.query('select k::text as row from eventzr.api_keys as k');
    expect(rows.length).toBeGreaterThan(0);
    for (const { row } of rows) expect(row).not.toContain(token.slice(-20));
  });
});
