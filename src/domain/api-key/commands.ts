import type { KeyTerms } from './events.ts';

interface OnKey {
  readonly key: KeyTerms;
  readonly reason?: string | undefined;
  /** Milliseconds since 1970. */
  readonly at: number;
}

export type ApiKeyCommand =
  | ({ readonly type: 'CreateKey'; readonly expiresAt?: number | undefined } & OnKey)
  /** `endsAt`: when the key ends as it stands. `graceMs`: how long the secret before goes on working. */
  | ({
      readonly type: 'RotateKey';
      readonly endsAt?: number | undefined;
      readonly graceMs: number;
      readonly expiresAt?: number | undefined;
    } & OnKey)
  | ({ readonly type: 'RevokeKey' } & OnKey);

/** Revoked or expired: nothing makes it work again. */
export type ApiKeyRejection = 'key_ended';
