import { expect, it } from 'vitest';
import { cachedCredentials } from '../../src/adapters/http/cached-credentials.ts';
import type { Principal } from '../../src/adapters/http/principal.ts';

const KEY: Principal = { name: 'key', auth: 'api_key', tenants: ['acme'], role: 'admin' };

function credentials() {
  let now = 1_700_000_000_000;
  let looks = 0;
  let answer: Principal | undefined = KEY;
  const verify = async () => {
    looks += 1;
    return answer;
  };
  const cached = cachedCredentials({ verify }, { now: () => now });
  return {
    verify: () => cached.verify('token'),
    pass: (ms: number) => {
      now += ms;
    },
    revoke: () => {
      answer = undefined;
    },
    looks: () => looks,
  };
}

it('a key that was verified is believed for 0.7 s, and not looked up again', async () => {
  const { verify, pass, revoke, looks } = credentials();
  expect([await verify(), await verify()]).toEqual([KEY, KEY]);
  pass(699);
  revoke();
  expect(await verify()).toEqual(KEY);
  expect(looks()).toBe(1);
  pass(1);
  expect(await verify()).toBeUndefined();
});

it('a revoked key is refused although the clock has gone back', async () => {
  const { verify, pass, revoke } = credentials();
  await verify();
  revoke();
  pass(-3_600_000);
  expect(await verify()).toBeUndefined();
});

it('a key that was refused is looked up every time', async () => {
  const { verify, revoke, looks } = credentials();
  revoke();
  expect([await verify(), await verify()]).toEqual([undefined, undefined]);
  expect(looks()).toBe(2);
});
