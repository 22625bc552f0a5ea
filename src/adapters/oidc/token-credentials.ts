import { type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { Clock } from '../../commands/ports.ts';
import type { Credentials } from '../http/principal.ts';
import { KeySetUnavailableError } from './key-set.ts';
import type { TokenOptions } from './options.ts';
import { principalOfClaims } from './principal-of-claims.ts';

/** Only those whose signing key never leaves the provider: a shared secret, or none, could be written by anybody. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const CLOCK_TOLERANCE_S = 30;
const FORM = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/;

export interface TokenCredentialsDeps {
  readonly options: TokenOptions;
  readonly keys: JWTVerifyGetKey;
  readonly clock: Clock;
  /** For what is no token of an identity provider. */
  readonly others: Credentials;
}

/** Checks tokens of an identity provider. Throws KeySetUnavailableError. */
export function tokenCredentials({ options, keys, clock, others }: TokenCredentialsDeps): Credentials {
  return {
    async verify(token) {
      if (!FORM.test(token)) return others.verify(token);
      try {
        const { payload } = await jwtVerify(token, keys, {
          issuer: options.issuer,
          audience: options.audience,
          algorithms: ALGORITHMS,
          clockTolerance: CLOCK_TOLERANCE_S,
          requiredClaims: ['exp', 'sub'],
          currentDate: new Date(clock.now()),
        });
        return principalOfClaims(payload, options);
      } catch (error) {
        if (error instanceof KeySetUnavailableError) throw error;
        return undefined;
      }
    },
  };
}
