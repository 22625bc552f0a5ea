import type { AuthMethod } from '../../domain/metadata.ts';

export type Role = 'producer' | 'worker' | 'viewer' | 'operator' | 'admin';

/** Who a credential stands for. */
export interface Principal {
  /** Shown as the actor of events. */
  readonly name: string;
  readonly auth: AuthMethod;
  /** Tenants it may act for; '*' is all of them. */
  readonly tenants: readonly string[] | '*';
  readonly role: Role;
}

/** What a route asks of its caller. */
export type Permission = 'read' | 'enqueue' | 'work' | 'operate' | 'administer';

const GRANTED: Readonly<Record<Role, readonly Permission[]>> = {
  viewer: ['read'],
  producer: ['read', 'enqueue'],
  worker: ['read', 'work'],
  operator: ['read', 'enqueue', 'work', 'operate'],
  admin: ['read', 'enqueue', 'work', 'operate', 'administer'],
};

export const may = (principal: Principal, permission: Permission): boolean =>
  GRANTED[principal.role].includes(permission);

/** Finds out who a bearer token stands for. */
export interface Credentials {
  /** undefined: nobody; unknown, expired and revoked keys are not told apart. */
  verify(token: string): Promise<Principal | undefined>;
}
