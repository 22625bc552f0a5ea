/** The caller's mistake in a program; over HTTP the tenant comes from the credential. */
export class InvalidTenantError extends Error {
  readonly code = 'invalid_tenant';
  constructor() {
    super('a tenant id is letters, digits, _ and -, at most 64');
  }
}

const TENANT_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** A dot in a tenant id would let it write into the streams of another. Throws InvalidTenantError. */
export function assertTenantId(text: string): void {
  if (!TENANT_ID.test(text)) throw new InvalidTenantError();
}
