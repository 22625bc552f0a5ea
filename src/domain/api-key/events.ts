/** What a key is, repeated on each of its events: they are read by people who look for who did what. */
export interface KeyTerms {
  /** What it is for; shown as the actor of events. */
  readonly name: string;
  /** Tenants it acts for; '*' alone: every tenant. */
  readonly tenants: readonly string[];
  readonly role: string;
}

/** Events never hold a secret, nor its hash: the log is for ever. */
export interface ApiKeyCreated {
  readonly type: 'ApiKeyCreated';
  readonly data: KeyTerms & {
    readonly expiresAt?: number | undefined;
    readonly reason?: string | undefined;
  };
}

export interface ApiKeyRotated {
  readonly type: 'ApiKeyRotated';
  readonly data: KeyTerms & {
    /** The secret before works until then; absent: it ended at once. */
    readonly previousUntil?: number | undefined;
    /** A new end of the key; absent: as it was. */
    readonly expiresAt?: number | undefined;
    readonly reason?: string | undefined;
  };
}

export interface ApiKeyRevoked {
  readonly type: 'ApiKeyRevoked';
  readonly data: KeyTerms & { readonly reason?: string | undefined };
}

export type ApiKeyEvent = ApiKeyCreated | ApiKeyRotated | ApiKeyRevoked;
