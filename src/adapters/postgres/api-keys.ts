import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type pg from 'pg';
import type { Credentials, Principal, Role } from '../http/principal.ts';

export interface NewApiKey {
  readonly name: string;
  /** One or more tenant ids, or '*' for every tenant. */
  readonly tenants: readonly string[] | '*';
  readonly role: Role;
  /** Milliseconds since 1970; absent: never. */
  readonly expiresAt?: number | undefined;
}

/** What may be shown of a key. Times are milliseconds since 1970. */
export interface ApiKeyRow {
  readonly keyId: string;
  readonly name: string;
  readonly tenants: readonly string[] | '*';
  readonly role: Role;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
  readonly lastUsedAt: number | null;
}

/** `ezk_<public id>_<secret>`: the id finds the row, and names the key in lists and logs. */
const FORMAT = /^ezk_([a-z0-9]{12})_[A-Za-z0-9_-]{43}$/;
const KEY_ID_LETTERS = 'abcdefghijklmnopqrstuvwxyz012345';

/** Makes a key. The token is answered once and can't be found again. */
export async function createApiKey(
  pool: pg.Pool,
  key: NewApiKey,
): Promise<{ readonly keyId: string; readonly token: string }> {
  const keyId = Array.from(randomBytes(12), (byte) => KEY_ID_LETTERS[byte % KEY_ID_LETTERS.length]).join('');
  const token = `ezk_${keyId}_${randomBytes(32).toString('base64url')}`;
  const tenants = key.tenants === '*' ? ['*'] : key.tenants;
  const expiresAt = key.expiresAt === undefined ? null : new Date(key.expiresAt);
  await pool.query(INSERT_KEY, [keyId, sha256(token), key.name, tenants, key.role, expiresAt]);
  return { keyId, token };
}

/** Newest first, at most 1,000; of one tenant when it is given. */
export async function listApiKeys(pool: pg.Pool, tenantId?: string): Promise<readonly ApiKeyRow[]> {
  const { rows } = await pool.query<StoredKey>(LIST_KEYS, [tenantId ?? null]);
  return rows.map(toRow);
}

/** From now on the key is refused, within a second by every process. False when there is no such key that works. */
export async function revokeApiKey(pool: pg.Pool, keyId: string): Promise<boolean> {
  const { rowCount } = await pool.query(REVOKE_KEY, [keyId]);
  return rowCount === 1;
}

/** Checks tokens against the table. */
export const apiKeyCredentials = (pool: pg.Pool): Credentials => ({
  async verify(token) {
    const keyId = FORMAT.exec(token)?.[1];
    if (keyId === undefined) return undefined;
    const { rows } = await pool.query<StoredKey & { secret_hash: Buffer; stale: boolean }>(FIND_KEY, [keyId]);
    const found = rows[0];
    if (!found || !timingSafeEqual(found.secret_hash, sha256(token))) return undefined;
    // Only a hint for people: a lost update is no loss, and no reason to make the caller wait.
    if (found.stale) pool.query(MARK_USED, [keyId]).catch(() => undefined);
    return principalOf(toRow(found));
  },
});

const principalOf = ({ keyId, name, tenants, role }: ApiKeyRow): Principal => ({
  name: `${name} (${keyId})`,
  auth: 'api_key',
  tenants,
  role,
});

const sha256 = (token: string): Buffer => hash('sha256', token, 'buffer');

interface StoredKey {
  readonly key_id: string;
  readonly name: string;
  readonly tenants: readonly string[];
  readonly role: Role;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly last_used_at: Date | null;
}

const toRow = (stored: StoredKey): ApiKeyRow => ({
  keyId: stored.key_id,
  name: stored.name,
  tenants: stored.tenants.includes('*') ? '*' : stored.tenants,
  role: stored.role,
  createdAt: stored.created_at.getTime(),
  expiresAt: stored.expires_at?.getTime() ?? null,
  revokedAt: stored.revoked_at?.getTime() ?? null,
  lastUsedAt: stored.last_used_at?.getTime() ?? null,
});

const INSERT_KEY = `
insert into api_keys (key_id, secret_hash, name, tenants, role, expires_at)
values ($1, $2, $3, $4, $5, $6)`;

const LIST_KEYS = `
select key_id, name, tenants, role, created_at, expires_at, revoked_at, last_used_at
from api_keys
where $1::text is null or $1 = any (tenants)
order by created_at desc, key_id
limit 1000`;

const REVOKE_KEY = `
update api_keys
set revoked_at = now()
where key_id = $1
  and revoked_at is null`;

const FIND_KEY = `
select
  key_id, name, tenants, role, created_at, expires_at, revoked_at, last_used_at, secret_hash,
  last_used_at is null or last_used_at < now() - interval '1 minute' as stale
from api_keys
where key_id = $1
  and revoked_at is null
  and (expires_at is null or expires_at > now())`;

const MARK_USED = `
update api_keys
set last_used_at = now()
where key_id = $1
  and (last_used_at is null or last_used_at < now() - interval '1 minute')`;
