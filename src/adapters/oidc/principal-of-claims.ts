import type { JWTPayload } from 'jose';
import { type Principal, ROLES, type Role } from '../http/principal.ts';
import type { TokenOptions } from './options.ts';

const TENANT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const MOST_TENANTS = 100;
/** Of letters that can be shown: it becomes the actor of events. */
const SUBJECT = /^[\P{C}]{1,255}$/u;

/** Who a token that is good stands for; undefined when its claims do not say it. */
export function principalOfClaims(claims: JWTPayload, options: TokenOptions): Principal | undefined {
  const tenants = tenantsOf(words(claims, options.tenantClaim));
  const role = roleOf(words(claims, options.roleClaim), options.roles);
  if (!tenants || !role || claims.sub === undefined || !SUBJECT.test(claims.sub)) return undefined;
  return { name: claims.sub, auth: 'jwt', tenants, role };
}

function tenantsOf(names: readonly string[]): Principal['tenants'] | undefined {
  if (names.includes('*')) return '*';
  const tenants = [...new Set(names)].filter((name) => TENANT.test(name));
  return tenants.length === 0 || tenants.length > MOST_TENANTS ? undefined : tenants;
}

/** The one that may most, of those that the provider gave. */
function roleOf(names: readonly string[], translations: ReadonlyMap<string, Role>): Role | undefined {
  const given = names.map((name) => translations.get(name) ?? name);
  return ROLES.findLast((role) => given.includes(role));
}

/** A claim's words. Its name may hold dots itself, or be a path. */
function words(claims: JWTPayload, name: string): readonly string[] {
  const value = Object.hasOwn(claims, name) ? claims[name] : at(claims, name.split('.'));
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.filter((word) => typeof word === 'string');
}

function at(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return value;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return at((value as Readonly<Record<string, unknown>>)[name], rest);
}
