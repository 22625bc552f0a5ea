import type { Role } from '../http/principal.ts';

/** How tokens of an identity provider are checked and read. */
export interface TokenOptions {
  readonly issuer: string;
  readonly audience: string;
  /** Absent: the issuer's discovery document says it. */
  readonly jwksUrl?: string | undefined;
  readonly tenantClaim: string;
  readonly roleClaim: string;
  /** Words of the provider for roles; a role's own name needs no entry. */
  readonly roles: ReadonlyMap<string, Role>;
}
