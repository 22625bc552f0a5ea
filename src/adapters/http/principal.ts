import type { AuthMethod } from '../../domain/metadata.ts';

/** From the least to the most. */
export const ROLES = ['viewer', 'worker', 'producer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Who a credential stands for. */
export interface Principal {
  /** Shown as the actor of events. */
  readonly name: string;
  readonly auth: AuthMethod;
  /** Tenants it may act for; '*' is all of them. */
  readonly tenants: readonly string[] | '*';
  readonly role: Role;
  /** When the credential ends, milliseconds since 1970; a key it makes must not live longer. */
  readonly endsAt?: number | undefined;
}

/**
 * What a route asks of its caller. The platform's are about what all tenants share: besides the role they ask for a
 * credential of the platform.
 */
export type Permission =
  | 'read'
  | 'enqueue'
  | 'work'
  | 'operate'
  | 'administer'
  | 'read_platform'
  | 'administer_platform';

const GRANTED: Readonly<Record<Role, readonly Permission[]>> = {
  viewer: ['read', 'read_platform'],
  producer: ['read', 'enqueue', 'read_platform'],
  worker: ['read', 'work', 'read_platform'],
  operator: ['read', 'enqueue', 'work', 'operate', 'read_platform'],
  admin: ['read', 'enqueue', 'work', 'operate', 'administer', 'read_platform', 'administer_platform'],
};

export const isOfPlatform = (permission: Permission): boolean => permission.endsWith('_platform');

/** Acts for every tenant. The dev key does: who has it runs the machine. */
export const isPlatform = ({ tenants, auth }: Principal): boolean => tenants === '*' || auth === 'dev_key';

export const may = (principal: Principal, permission: Permission): boolean =>
  GRANTED[principal.role].includes(permission) && (!isOfPlatform(permission) || isPlatform(principal));

/** Whether a role holds nothing that the other lacks. */
export const isWithin = (role: Role, other: Role): boolean =>
  GRANTED[role].every((permission) => GRANTED[other].includes(permission));

/** Finds out who a bearer token stands for. */
export interface Credentials {
  /** undefined: nobody; unknown, expired and revoked keys are not told apart. */
  verify(token: string): Promise<Principal | undefined>;
}
