import type { FastifyRequest } from 'fastify';
import { isStillSomebody } from './authentication.ts';
import type { Credentials } from './principal.ts';

/** With what the cache of credentials believes, a revocation ends what is open within a second. */
const CHECK_MS = 250;

export interface CredentialWatch extends Disposable {
  readonly signal: AbortSignal;
}

/** For requests that stay open: a signal that also aborts when the caller's credential ends. */
export function whileSomebody(
  request: FastifyRequest,
  credentials: Credentials,
  signal: AbortSignal,
): CredentialWatch {
  const ended = new AbortController();
  const timer = setInterval(() => {
    // While nobody can tell, as while the database is away, it is believed: nothing could be read for it either.
    isStillSomebody(request, credentials).then(
      (valid) => valid || ended.abort(),
      () => undefined,
    );
  }, CHECK_MS);
  return {
    signal: AbortSignal.any([signal, ended.signal]),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
