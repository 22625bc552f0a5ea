import { createRemoteJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import type { Clock } from '../../commands/ports.ts';
import type { TokenOptions } from './options.ts';

type KeySet = ReturnType<typeof createRemoteJWKSet>;

const TIMEOUT_MS = 5_000;
/** An unknown key id asks the provider again, but not more often. */
const COOL_DOWN_MS = 30_000;
const CACHED_MS = 600_000;
/** After a failure, the next callers are answered at once. */
const FAILED_MS = 1_000;

/** Nobody can tell whether the token is good: no fault of the caller. */
export class KeySetUnavailableError extends Error {
  readonly code = 'key_set_unavailable';
  readonly retryAfterMs = FAILED_MS;
  constructor(options?: ErrorOptions) {
    super('the key set of the identity provider can not be read', options);
  }
}

/** The provider's public keys, read when they are needed. Throws KeySetUnavailableError, or what jose says of the token. */
export function remoteKeySet(
  { issuer, jwksUrl }: Pick<TokenOptions, 'issuer' | 'jwksUrl'>,
  clock: Clock,
): JWTVerifyGetKey {
  let found: Promise<KeySet> | undefined;
  let failedAt: number | undefined;

  async function find(): Promise<KeySet> {
    const url = new URL(jwksUrl ?? (await discover(issuer)));
    const settings = { timeoutDuration: TIMEOUT_MS, cooldownDuration: COOL_DOWN_MS, cacheMaxAge: CACHED_MS };
    return createRemoteJWKSet(url, settings);
  }

  return async (header, token) => {
    const failedLately = failedAt !== undefined && Math.abs(clock.now() - failedAt) < FAILED_MS;
    try {
      if (!found && failedLately) throw new Error('the provider did not answer a moment ago');
      found ??= find();
      const keys = await found;
      // Keys that are known and fresh need no provider, however it is.
      if (!keys.fresh && failedLately) throw new Error('the provider did not answer a moment ago');
      return await keys(header, token);
    } catch (cause) {
      if (isAboutToken(cause)) throw cause;
      if (!failedLately) failedAt = clock.now();
      if (!(await wasFound(found))) found = undefined;
      throw new KeySetUnavailableError({ cause });
    }
  };
}

/** The set was read, and has no key for this token. */
const isAboutToken = (error: unknown): boolean =>
  error instanceof errors.JWKSNoMatchingKey ||
  error instanceof errors.JWKSMultipleMatchingKeys ||
  error instanceof errors.JOSENotSupported;

const wasFound = (keys: Promise<unknown> | undefined): Promise<boolean> =>
  Promise.resolve(keys).then(
    (known) => known !== undefined,
    () => false,
  );

async function discover(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'error' });
  const document = (await response.json()) as { readonly issuer?: unknown; readonly jwks_uri?: unknown };
  if (!response.ok || document.issuer !== issuer || typeof document.jwks_uri !== 'string') {
    throw new Error(`${url} does not describe ${issuer}`);
  }
  return document.jwks_uri;
}
