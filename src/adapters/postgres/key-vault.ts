import { hash, randomBytes } from 'node:crypto';
import type pg from 'pg';
import { z } from 'zod';
import type { KeyRow, KeyScope, KeyVault } from '../../commands/key-vault.ts';
import { pageCursors, pageLimit } from './queries/page-cursor.ts';

const KEY_ID_LETTERS = 'abcdefghijklmnopqrstuvwxyz012345';

/** The time of the first page, in milliseconds since 1970, and the key. */
const cursors = pageCursors('keys', z.tuple([z.int().nonnegative(), z.string().regex(/^[a-z0-9]{12}$/)]));

/** Keys in Postgres, with the hashes of their secrets. */
export const createKeyVault = (pool: pg.Pool): KeyVault => ({
  newSecret(given) {
    const keyId = given ?? newKeyId();
    const token = `ezk_${keyId}_${randomBytes(32).toString('base64url')}`;
    return { keyId, token, hash: hash('sha256', token, 'buffer') };
  },

  async find(keyId, scope) {
    const { rows } = await pool.query<StoredKey>(FIND, [keyId, arrayOf(scope)]);
    return rows[0] && toRow(rows[0]);
  },

  async list(scope, request) {
    const from = cursors.read(request.cursor);
    const limit = pageLimit(request);
    const [asOf = null, after = null] = from?.key ?? [];
    const text = from?.towards === 'newer' ? LIST_NEWER : LIST_OLDER;
    const { rows } = await pool.query<ListedKey>(text, [arrayOf(scope), asOf, after, limit + 1]);
    const page = cursors.page(rows, from, limit, ({ as_of, key_id }) => [Number(as_of), key_id]);
    return { ...page, rows: page.rows.map(toRow) };
  },

  async insert({ keyId, hash: digest }, { name, tenants, role, createdAt, expiresAt }, revision) {
    const bound = tenants === '*' ? ['*'] : tenants;
    const times = [new Date(createdAt), expiresAt === null ? null : new Date(expiresAt)];
    await pool.query(INSERT, [keyId, digest, name, bound, role, ...times, revision]);
  },

  async replaceSecret({ keyId, hash: digest }, { previousUntil, expiresAt }, revision) {
    const { rowCount } = await pool.query(REPLACE_SECRET, [
      keyId,
      digest,
      previousUntil === null ? null : new Date(previousUntil),
      expiresAt === null ? null : new Date(expiresAt),
      revision,
    ]);
    return rowCount === 1;
  },

  async revoke(keyId, revision) {
    await pool.query(REVOKE, [keyId, revision]);
  },
});

const newKeyId = (): string =>
  Array.from(randomBytes(12), (byte) => KEY_ID_LETTERS[byte % KEY_ID_LETTERS.length]).join('');

const arrayOf = (scope: KeyScope): readonly string[] | null => (scope === '*' ? null : scope);

interface StoredKey {
  readonly key_id: string;
  readonly name: string;
  readonly tenants: readonly string[];
  readonly role: string;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly last_used_at: Date | null;
  readonly previous_until: Date | null;
}

interface ListedKey extends StoredKey {
  readonly as_of: string;
}

const toRow = (stored: StoredKey): KeyRow => ({
  keyId: stored.key_id,
  name: stored.name,
  tenants: stored.tenants.includes('*') ? '*' : stored.tenants,
  role: stored.role,
  createdAt: stored.created_at.getTime(),
  expiresAt: stored.expires_at?.getTime() ?? null,
  revokedAt: stored.revoked_at?.getTime() ?? null,
  lastUsedAt: stored.last_used_at?.getTime() ?? null,
  previousUntil: stored.previous_until?.getTime() ?? null,
});

const COLUMNS = `
  key_id, name, tenants, role, created_at, expires_at, revoked_at, last_used_at,
  case when previous_until > now() then previous_until end as previous_until`;

const FIND = `
select ${COLUMNS}
from api_keys
where key_id = $1
  and ($2::text[] is null or tenants <@ $2)`;

const LISTED = `
with time as (
  select coalesce($2, floor(extract(epoch from now()) * 1000)::bigint) as as_of
), keys as not materialized (
  select
    api_keys.*,
    as_of,
    coalesce(least(revoked_at, expires_at) > to_timestamp(as_of / 1000.0), true) as works
  from api_keys, time
)
select ${COLUMNS}, as_of
from keys
where ($1::text[] is null or tenants <@ $1)`;

const PLACE = '(works, created_at, key_id)';
const PLACE_OF_LAST = '(select works, created_at, key_id from keys where key_id = $3)';

const LIST_OLDER = `${LISTED}
  and ($3::text is null or ${PLACE} < ${PLACE_OF_LAST})
order by works desc, created_at desc, key_id desc
limit $4`;

const LIST_NEWER = `${LISTED}
  and ${PLACE} > ${PLACE_OF_LAST}
order by works, created_at, key_id
limit $4`;

const INSERT = `
insert into api_keys (key_id, secret_hash, name, tenants, role, created_at, expires_at, revision)
values ($1, $2, $3, $4, $5, $6, $7, $8)`;

const REPLACE_SECRET = `
update api_keys
set
  previous_hash = case when $3::timestamptz is not null then secret_hash end,
  previous_until = $3,
  secret_hash = $2,
  expires_at = $4,
  revision = $5
where key_id = $1
  and revision < $5
  and revoked_at is null`;

const REVOKE = `
update api_keys
set
  revoked_at = coalesce(revoked_at, now()),
  previous_hash = null,
  previous_until = null,
  revision = greatest(revision, $2)
where key_id = $1`;
