import { hash, timingSafeEqual } from 'node:crypto';
import type pg from 'pg';
import type { Actor } from '../../domain/metadata.ts';
import type { Credentials, Principal, Role } from '../http/principal.ts';
import { createKeyVault } from './key-vault.ts';

export interface NewApiKey {
  readonly name: string;
  /** One or more tenant ids, or '*' for every tenant. */
  readonly tenants: readonly string[] | '*';
  readonly role: Role;
  /** Milliseconds since 1970; absent: never. */
  readonly expiresAt?: number | undefined;
}

/** `ezk_<public id>_<secret>`: the id finds the row, and names the key in lists and logs. */
const FORMAT = /^ezk_([a-z0-9]{12})_[A-Za-z0-9_-]{43}$/;

/** Makes a key without an event: for set-ups that have no history. The token is answered once and can't be found again. */
export async function createApiKey(
  pool: pg.Pool,
  { name, tenants, role, expiresAt }: NewApiKey,
): Promise<{ readonly keyId: string; readonly token: string }> {
  const vault = createKeyVault(pool);
  const secret = vault.newSecret();
  const key = { name, tenants, role, createdAt: Date.now(), expiresAt: expiresAt ?? null };
  await vault.insert(secret, key, -1);
  return { keyId: secret.keyId, token: secret.token };
}

/** Checks tokens against the table. */
export const apiKeyCredentials = (pool: pg.Pool): Credentials => ({
  async verify(token) {
    const keyId = FORMAT.exec(token)?.[1];
    if (keyId === undefined) return undefined;
    const { rows } = await pool.query<StoredKey>(FIND_KEY, [keyId]);
    const found = rows[0];
    if (!found || !isSecretOf(found, hash('sha256', token, 'buffer'))) return undefined;
    // Only a hint for people: a lost update is no loss, and no reason to make the caller wait.
    if (found.stale) pool.query(MARK_USED, [keyId]).catch(() => undefined);
    return principalOf(found);
  },
});

/**
 * Says, in words, why an actor may not go on with what it began; undefined: it may. It is the key that counts, not the
 * secret: a rotation ends nothing. A token counts when something begins and not later: nobody can revoke it here, and it is
 * made to live for minutes only.
 */
export const apiKeyEnd =
  (pool: pg.Pool) =>
  async ({ id, auth }: Actor): Promise<string | undefined> => {
    if (auth !== 'api_key') return undefined;
    const keyId = ACTOR.exec(id)?.[1];
    const { rows } = await pool.query<{ readonly ended: string | null }>(FIND_END, [keyId]);
    const ended = rows[0] ? rows[0].ended : 'is gone';
    return ended === null ? undefined : `the key that asked for it, ${id}, ${ended}`;
  };

interface StoredKey {
  readonly key_id: string;
  readonly name: string;
  readonly tenants: readonly string[];
  readonly role: Role;
  readonly expires_at: Date | null;
  readonly secret_hash: Buffer;
  /** Null when it works no more. */
  readonly previous_hash: Buffer | null;
  readonly stale: boolean;
}

/** Both are compared, whichever it is, so that the time taken tells nothing. */
function isSecretOf({ secret_hash, previous_hash }: StoredKey, digest: Buffer): boolean {
  const isCurrent = timingSafeEqual(secret_hash, digest);
  const isPrevious = timingSafeEqual(previous_hash ?? secret_hash, digest);
  return isCurrent || isPrevious;
}

/** What principalOf makes of a key, whatever its name is. */
const ACTOR = / \(([a-z0-9]{12})\)$/;

const principalOf = ({ key_id, name, tenants, role, expires_at }: StoredKey): Principal => ({
  name: `${name} (${key_id})`,
  auth: 'api_key',
  tenants: tenants.includes('*') ? '*' : tenants,
  role,
  endsAt: expires_at?.getTime(),
});

const FIND_KEY = `
select
  key_id, name, tenants, role, expires_at, secret_hash,
  case when previous_until > now() then previous_hash end as previous_hash,
  last_used_at is null or last_used_at < now() - interval '1 minute' as stale
from api_keys
where key_id = $1
  and revoked_at is null
  and (expires_at is null or expires_at > now())`;

const FIND_END = `
select
  case
    when revoked_at is not null then 'was revoked'
    when expires_at <= now() then 'has expired'
  end as ended
from api_keys
where key_id = $1`;

const MARK_USED = `
update api_keys
set last_used_at = now()
where key_id = $1
  and (last_used_at is null or last_used_at < now() - interval '1 minute')`;
