import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { CallContext } from '../../commands/call-context.ts';
import { type Credentials, may, type Permission, type Principal } from './principal.ts';
import { HttpProblem, invalid } from './problems.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the caller must be allowed to do; every route under /v1 says it. */
    readonly permission?: Permission;
  }
  interface FastifyRequest {
    principal: Principal | null;
  }
}

/** Lets only those in who are somebody and may do what the route does. */
export function registerAuthentication(app: FastifyInstance, credentials: Credentials): void {
  app.decorateRequest('principal', null);
  app.addHook('onRoute', (route) => {
    if (!route.config?.permission) throw new Error(`route ${route.url} does not say who may use it`);
  });
  app.addHook('onRequest', async (request) => {
    const { permission } = request.routeOptions.config;
    if (!permission) return;
    const principal = await principalOf(request, credentials);
    if (!may(principal, permission)) {
      throw new HttpProblem('forbidden', `the role ${principal.role} may not ${permission}`);
    }
    request.principal = principal;
  });
}

async function principalOf(request: FastifyRequest, credentials: Credentials): Promise<Principal> {
  const token = /^Bearer +(\S{1,500})$/i.exec(request.headers.authorization ?? '')?.[1];
  const principal = token === undefined ? undefined : await credentials.verify(token);
  if (principal) return principal;
  throw new HttpProblem('unauthenticated', undefined, { headers: { 'www-authenticate': 'Bearer' } });
}

/** Who asks, and for which tenant. */
export const contextOf = (request: FastifyRequest): CallContext => ({
  ...workerContextOf(request),
  tenantId: tenantOf(request),
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

/** Tenants the caller may work for, narrowed to one by On-Behalf-Of. */
export function tenantsOf(request: FastifyRequest): readonly string[] | '*' {
  const { tenants } = signedIn(request);
  const wanted = onBehalfOf(request);
  return wanted === undefined ? tenants : [allowed(wanted, tenants)];
}

/** The one tenant that the request is about: the credential's own, or the one On-Behalf-Of names. */
export function tenantOf(request: FastifyRequest): string {
  const { tenants } = signedIn(request);
  const wanted = onBehalfOf(request);
  if (wanted !== undefined) return allowed(wanted, tenants);
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
  const { tenants, auth } = signedIn(request);
  // The dev key is whoever runs the machine.
  const isPlatform = tenants === '*' || auth === 'dev_key';
  return isPlatform && onBehalfOf(request) === undefined ? null : tenantOf(request);
}

function signedIn(request: FastifyRequest): Principal {
  if (!request.principal) throw new Error('the route was reached without authentication');
  return request.principal;
}

function allowed(wanted: string, tenants: readonly string[] | '*'): string {
  if (tenants === '*' || tenants.includes(wanted)) return wanted;
  throw new HttpProblem('forbidden', 'the API key is not bound to the tenant in On-Behalf-Of');
}

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
