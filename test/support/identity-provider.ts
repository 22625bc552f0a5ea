import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

interface TokenSettings {
  readonly subject?: string | null;
  readonly issuer?: string;
  readonly audience?: string;
  /** Seconds since 1970; null: never. */
  readonly expiresAt?: number | null;
  readonly notBefore?: number;
}

/** An OIDC provider on this machine, as far as a service that takes its tokens sees it. */
export interface IdentityProvider extends AsyncDisposable {
  readonly issuer: string;
  readonly jwksUrl: string;
  token(claims: JWTPayload, settings?: TokenSettings): Promise<string>;
  /** Signed by a key that is not in the set, under the id of one that is. */
  strangersToken(claims: JWTPayload): Promise<string>;
  /** Signed with the public key as if it were a shared secret. */
  symmetricToken(claims: JWTPayload): Promise<string>;
  unsignedToken(claims: JWTPayload): string;
  /** The middle part of a token. */
  payload(claims: JWTPayload, subject: string): string;
  /** Signs with a new key from now on; the set has it beside the old ones. */
  rotate(): Promise<void>;
  /** Answers 500 to everything, or no more. */
  fail(failing: boolean): void;
  /** How often the key set was read. */
  reads(): number;
  discoveries(): number;
}

export async function identityProvider(): Promise<IdentityProvider> {
  const keys: JWK[] = [];
  let signer = await newKey('first');
  let failing = false;
  let reads = 0;
  let discoveries = 0;

  async function newKey(kid: string) {
    const pair = await generateKeyPair('ES256', { extractable: true });
    keys.push({ ...(await exportJWK(pair.publicKey)), kid, alg: 'ES256', use: 'sig' });
    return { ...pair, kid };
  }

  const server = createServer((request, response) => {
    if (failing) {
      response.writeHead(500).end();
      return;
    }
    if (request.url === '/keys') reads += 1;
    else discoveries += 1;
    const document = request.url === '/keys' ? { keys } : { issuer, jwks_uri: `${issuer}/keys` };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  function jwt(claims: JWTPayload, settings: TokenSettings = {}): SignJWT {
    const { subject = 'ann', audience = 'jobs', notBefore } = settings;
    const { expiresAt = Math.floor(Date.now() / 1_000) + 600 } = settings;
    const made = new SignJWT(claims).setIssuer(settings.issuer ?? issuer).setAudience(audience);
    if (subject !== null) made.setSubject(subject);
    if (expiresAt !== null) made.setExpirationTime(expiresAt);
    if (notBefore !== undefined) made.setNotBefore(notBefore);
    return made;
  }

  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = (claims: JWTPayload, sub: string) => ({
    ...claims,
    sub,
    iss: issuer,
    aud: 'jobs',
    exp: Math.floor(Date.now() / 1_000) + 600,
  });

  return {
    issuer,
    jwksUrl: `${issuer}/keys`,
    token: (claims, settings) =>
      jwt(claims, settings).setProtectedHeader({ alg: 'ES256', kid: signer.kid }).sign(signer.privateKey),
    async strangersToken(claims) {
      const { privateKey } = await generateKeyPair('ES256');
      return jwt(claims).setProtectedHeader({ alg: 'ES256', kid: signer.kid }).sign(privateKey);
    },
    async symmetricToken(claims) {
      const secret = new TextEncoder().encode(await exportSPKI(signer.publicKey));
      return jwt(claims).setProtectedHeader({ alg: 'HS256', kid: signer.kid }).sign(secret);
    },
    unsignedToken: (claims) => `${part({ alg: 'none' })}.${part(body(claims, 'ann'))}.`,
    payload: (claims, subject) => part(body(claims, subject)),
    async rotate() {
      signer = await newKey(`key-${keys.length}`);
    },
    fail(now) {
      failing = now;
    },
    reads: () => reads,
    discoveries: () => discoveries,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
