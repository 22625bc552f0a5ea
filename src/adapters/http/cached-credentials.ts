import { hash } from 'node:crypto';
import type { Clock } from '../../commands/ports.ts';
import type { Credentials, Principal } from './principal.ts';

/** How long a verified key is believed: how late a revocation may take effect, a look at what is open included. */
const TTL_MS = 700;
const MOST_KEYS = 10_000;

interface Entry {
  readonly principal: Promise<Principal | undefined>;
  readonly at: number;
}

/** Remembers who a token stands for, by its hash. Callers who come at the same time share one look-up. */
export function cachedCredentials(credentials: Credentials, clock: Clock): Credentials {
  const entries = new Map<string, Entry>();
  return {
    verify(token) {
      const now = clock.now();
      const key = hash('sha256', token, 'base64');
      const known = entries.get(key);
      // The clock may have gone back: that must not give a revoked key an hour more.
      if (known && Math.abs(now - known.at) < TTL_MS) return known.principal;
      const principal = credentials.verify(token);
      entries.delete(key);
      entries.set(key, { principal, at: now });
      const forget = () => {
        if (entries.get(key)?.principal === principal) entries.delete(key);
      };
      // Only good keys are worth remembering: bad ones are endless.
      principal.then((found) => found ?? forget(), forget);
      const [oldest] = entries.keys();
      if (entries.size > MOST_KEYS && oldest !== undefined) entries.delete(oldest);
      return principal;
    },
  };
}
