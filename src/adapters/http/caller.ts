import type { FastifyRequest } from 'fastify';
import type { CallContext } from '../../commands/call-context.ts';
import { isPlatform, type Principal } from './principal.ts';
import { HttpProblem, invalid } from './problems.ts';

/** Who asks, and for which tenant. */
export const contextOf = (request: FastifyRequest): CallContext => ({
  ...workerContextOf(request),
  tenantId: tenantOf(request),
  requestId: request.id,
});

/** Who asks; for calls that may concern several tenants. */
export function workerContextOf(request: FastifyRequest): Omit<CallContext, 'tenantId'> {
  const { name, auth } = signedIn(request);
  return {
    actor: { id: name, auth },
    correlationId: correlationOf(request),
    traceparent: traceparentOf(request),
  };
}

/** Who commands something that concerns the service itself, or several tenants. */
export const commandContextOf = (request: FastifyRequest): Omit<CallContext, 'tenantId'> => ({
  ...workerContextOf(request),
  requestId: request.id,
});

/** Who commands something that concerns all tenants. */
export const platformContextOf = (request: FastifyRequest): CallContext => ({
  ...commandContextOf(request),
  tenantId: ALL_TENANTS,
});

/** Who commands something that a tenant has for itself, and the platform for all. */
export const scopedContextOf = (request: FastifyRequest): CallContext => ({
  ...commandContextOf(request),
  tenantId: platformScopeOf(request) ?? ALL_TENANTS,
});

/** Tenants the caller may work for, narrowed to one by On-Behalf-Of or ?tenant=. */
export function tenantsOf(request: FastifyRequest): readonly string[] | '*' {
  const { tenants } = signedIn(request);
  const named = namedTenant(request);
  return named === undefined ? tenants : [named];
}

/** The one tenant that the request is about: the credential's own, or the one that On-Behalf-Of or ?tenant= names. */
export function tenantOf(request: FastifyRequest): string {
  const { tenants } = signedIn(request);
  const named = namedTenant(request);
  if (named !== undefined) return named;
  const [only] = tenants;
  if (tenants === '*' || tenants.length !== 1 || only === undefined) throw new HttpProblem('tenant-required');
  return only;
}

/** No single tenant is meant. */
export function isOfManyTenants(request: FastifyRequest): boolean {
  const tenants = tenantsOf(request);
  return tenants === '*' || tenants.length !== 1;
}

/** Whose part of what all share the caller may see: null is all of it, for keys that act for every tenant. */
export function platformScopeOf(request: FastifyRequest): string | null {
  return isPlatform(signedIn(request)) && namedTenant(request) === undefined ? null : tenantOf(request);
}

/** Whose share of what all use a request counts for: that of its tenants together; null for the platform. */
export function holderOf(request: FastifyRequest): string | null {
  const { tenants } = signedIn(request);
  return isPlatform(signedIn(request)) || tenants === '*' ? null : tenants.join();
}

/** The caller itself, whomever it acts for. */
export function signedIn(request: FastifyRequest): Principal {
  if (!request.principal) throw new Error('the route was reached without authentication');
  return request.principal;
}

/** The tenant that a caller for several names; refused when it is none of the credential's. */
export function namedTenant(request: FastifyRequest): string | undefined {
  const principal = signedIn(request);
  const header = onBehalfOf(request);
  const { tenantParameter } = request;
  if (header !== undefined && tenantParameter !== null && header !== tenantParameter) {
    throw invalid('tenant', 'is not the tenant in On-Behalf-Of');
  }
  const named = header ?? tenantParameter ?? undefined;
  if (named === undefined || isPlatform(principal) || principal.tenants.includes(named)) return named;
  throw new HttpProblem('forbidden', 'the credential is not bound to the tenant that was named');
}

/** In the events of what concerns no single tenant. */
const ALL_TENANTS = '*';

const TENANT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

function onBehalfOf(request: FastifyRequest): string | undefined {
  const value = request.headers['on-behalf-of'];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || !TENANT.test(value)) throw invalid('On-Behalf-Of', 'must be a tenant id');
  return value;
}

function correlationOf(request: FastifyRequest): string {
  const value = request.headers['correlation-id'];
  if (value === undefined) return request.id;
  if (typeof value !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(value)) {
    throw invalid('Correlation-Id', 'must be 1 to 128 printable ASCII characters without blanks');
  }
  return value;
}

/** A broken traceparent is ignored, as its specification asks. */
function traceparentOf(request: FastifyRequest): string | undefined {
  const value = request.headers.traceparent;
  return typeof value === 'string' && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(value)
    ? value
    : undefined;
}
