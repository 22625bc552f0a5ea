/** What may be shown of a key. Times are milliseconds since 1970. */
export interface KeyRow {
  readonly keyId: string;
  readonly name: string;
  readonly tenants: readonly string[] | '*';
  readonly role: string;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
  readonly lastUsedAt: number | null;
  /** Until when the secret before the last rotation works. */
  readonly previousUntil: number | null;
}

/** A key's token, which is shown once, and the hash that is kept of it. */
export interface NewSecret {
  readonly keyId: string;
  readonly token: string;
  readonly hash: Uint8Array;
}

/** Tenants whose keys are meant: a key belongs to them when it acts for no others. */
export type KeyScope = readonly string[] | '*';

export interface KeyPageRequest {
  /** 1..200 */
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface KeyPage {
  readonly rows: readonly KeyRow[];
  readonly nextCursor: string | null;
  readonly prevCursor: string | null;
}

/**
 * Where the hashes of secrets are. Written after the key's event, by its revision, so that changes that overtake each
 * other end as their events do.
 */
export interface KeyVault {
  /** For a new key, or for the one given. */
  newSecret(keyId?: string): NewSecret;
  find(keyId: string, scope: KeyScope): Promise<KeyRow | undefined>;
  /**
   * Working ones first, then the newest. Later pages go by what worked at the time of the first, so a key that ends meanwhile
   * is in one of them, once. Throws an error with code invalid_cursor.
   */
  list(scope: KeyScope, page: KeyPageRequest): Promise<KeyPage>;
  insert(
    secret: NewSecret,
    key: Pick<KeyRow, 'name' | 'tenants' | 'role' | 'createdAt' | 'expiresAt'>,
    revision: number,
  ): Promise<void>;
  /** False when a later change came first: the secret will never work. */
  replaceSecret(
    secret: NewSecret,
    change: { readonly previousUntil: number | null; readonly expiresAt: number | null },
    revision: number,
  ): Promise<boolean>;
  /** Nothing happens to one that is revoked. */
  revoke(keyId: string, revision: number): Promise<void>;
}
