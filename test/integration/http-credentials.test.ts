import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiKey } from '../../src/adapters/postgres/api-keys.ts';
import { createKeyVault } from '../../src/adapters/postgres/key-vault.ts';
import { type LiveApi, startLiveApi } from '../support/live-api.ts';
import { waitUntil } from '../support/wait-until.ts';

let api: LiveApi;
beforeAll(async () => {
  api = await startLiveApi();
});
afterAll(() => api?.[Symbol.asyncDispose]());

describe('API keys', () => {
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

  it('are kept as hashes only, in the table and in the log, and say when they were last used', async () => {
    const { call, tenantId } = await api.caller();
    const made = (await call('POST', '/v1/keys', { name: 'shop', role: 'producer' })).body;
    const rotated = (await call('POST', `/v1/keys/${made.id}/rotate`, { graceMs: 60_000 })).body;
    await waitUntil('the use is noted', async () => {
      const { rows: keys } = await createKeyVault(api.database.pool).list([tenantId], { limit: 200 });
      return keys.some(({ lastUsedAt }) => lastUsedAt !== null);
    });
    const { rows } = await api.database.pool.query(
      'select k::text as row from eventzr.api_keys as k union all select e::text from eventzr.events as e',
    );
    expect(rows.length).toBeGreaterThan(2);
    for (const { token } of [made, rotated]) {
      for (const { row } of rows) expect(row).not.toContain(token.slice(-20));
    }
  });
});
