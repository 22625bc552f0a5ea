import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { remoteKeySet } from '../../src/adapters/oidc/key-set.ts';
import type { TokenOptions } from '../../src/adapters/oidc/options.ts';
import { principalOfClaims } from '../../src/adapters/oidc/principal-of-claims.ts';
import { tokenCredentials } from '../../src/adapters/oidc/token-credentials.ts';
import { systemClock } from '../../src/adapters/system.ts';
import { type IdentityProvider, identityProvider } from '../support/identity-provider.ts';

const others = { verify: async () => undefined };
const CLAIMS = { tenant_id: 'acme', role: 'operator' };

const optionsOf = (more: Partial<TokenOptions> = {}): TokenOptions => ({
  issuer: 'https://id.example.com',
  audience: 'jobs',
  tenantClaim: 'tenant_id',
  roleClaim: 'role',
  roles: new Map(),
  ...more,
});

let provider: IdentityProvider;
beforeEach(async () => {
  provider = await identityProvider();
});
afterEach(async () => {
  vi.useRealTimers();
  await provider[Symbol.asyncDispose]();
});

function credentials() {
  const options = optionsOf({ issuer: provider.issuer });
  return tokenCredentials({
    options,
    keys: remoteKeySet(options, systemClock),
    clock: systemClock,
    others,
  });
}

/** Only what the time is: sockets go on as ever. */
function pass(ms: number): void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });
}

it('a new key of the provider is asked for, but not more often than twice a minute', async () => {
  const { verify } = credentials();
  expect(await verify(await provider.token(CLAIMS))).toMatchObject({ name: 'ann', role: 'operator' });
  await provider.rotate();
  const token = await provider.token(CLAIMS);
  expect(await verify(token)).toBeUndefined();
  expect(provider.reads()).toBe(1);
  pass(31_000);
  expect(await verify(token)).toMatchObject({ name: 'ann' });
  expect(provider.reads()).toBe(2);
});

it('keys that the provider has taken back are believed for ten minutes at most', async () => {
  const { verify } = credentials();
  const expiresAt = Math.floor(Date.now() / 1_000) + 3_600;
  const token = await provider.token(CLAIMS, { expiresAt });
  expect(await verify(token)).toBeDefined();
  provider.fail(true);
  pass(590_000);
  expect(await verify(token)).toBeDefined();
  pass(20_000);
  await expect(verify(token)).rejects.toMatchObject({ code: 'key_set_unavailable' });
  provider.fail(false);
  // Just after a failure nobody is made to wait for the next one.
  await expect(verify(token)).rejects.toMatchObject({ code: 'key_set_unavailable' });
  pass(1_100);
  expect(await verify(token)).toBeDefined();
});

it('strangers with made-up keys do not shut out those whose key is known', async () => {
  const { verify } = credentials();
  const token = await provider.token(CLAIMS);
  expect(await verify(token)).toBeDefined();
  pass(31_000);
  await provider.rotate();
  const unknown = await provider.token(CLAIMS);
  provider.fail(true);
  await expect(verify(unknown)).rejects.toMatchObject({ code: 'key_set_unavailable' });
  expect(await verify(token)).toBeDefined();
});

it.each([
  [{ role: ['viewer', 'admin', 'worker'] }, {}, 'admin'],
  [{ role: 'boss' }, { roles: new Map([['boss', 'admin'] as const]) }, 'admin'],
  [{ 'https://x.example/role': 'viewer' }, { roleClaim: 'https://x.example/role' }, 'viewer'],
  [{ realm: { roles: ['worker'] } }, { roleClaim: 'realm.roles' }, 'worker'],
  [{ realm: 'worker' }, { roleClaim: 'realm.roles' }, undefined],
  [{ role: 7 }, {}, undefined],
  [{ role: '__proto__' }, {}, undefined],
  [{}, { roleClaim: 'constructor.name' }, undefined],
] as const)('claims %j give the right role', (claims, options, role) => {
  const principal = principalOfClaims({ sub: 'ann', tenant_id: 'acme', ...claims }, optionsOf(options));
  expect(principal?.role).toBe(role);
});

it.each([
  ['acme', ['acme']],
  [
    ['acme', 'globex', 'not a tenant'],
    ['acme', 'globex'],
  ],
  [['acme', '*'], '*'],
  ['', undefined],
  [Array.from({ length: 101 }, (_, n) => `t${n}`), undefined],
  [{ id: 'acme' }, undefined],
])('tenants %j are understood', (tenant, tenants) => {
  const principal = principalOfClaims({ sub: 'ann', role: 'viewer', tenant_id: tenant }, optionsOf());
  expect(principal?.tenants).toEqual(tenants);
});

it('a subject must be one that can be shown', () => {
  for (const sub of ['', 'a\nb', 'x'.repeat(256), '\u202eann']) {
    expect(principalOfClaims({ ...CLAIMS, sub }, optionsOf())).toBeUndefined();
  }
});
