import type { FastifyInstance, FastifyRequest } from 'fastify';
import { namedTenant } from './caller.ts';
import type { FailedAttempts } from './failed-attempts.ts';
import { type Credentials, isPlatform, may, type Permission, type Principal } from './principal.ts';
import { HttpProblem, invalid } from './problems.ts';
import type { Redaction, RedactionRules } from './redaction.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the caller must be allowed to do; every route under /v1 says it. */
    readonly permission?: Permission;
  }
  interface FastifyRequest {
    principal: Principal | null;
    /** The tenant that ?tenant= names. */
    tenantParameter: string | null;
    /** What the caller must not see of payloads, results and errors. */
    redaction: Redaction | null;
  }
}

export interface AuthenticationOptions {
  readonly credentials: Credentials;
  readonly failures: FailedAttempts;
  readonly redactions: RedactionRules;
}

/** Lets only those in who are somebody and may do what the route does. */
export function registerAuthentication(app: FastifyInstance, options: AuthenticationOptions): void {
  app.decorateRequest('principal', null);
  app.decorateRequest('tenantParameter', null);
  app.decorateRequest('redaction', null);
  app.addHook('onRoute', (route) => {
    if (!route.config?.permission) throw new Error(`route ${route.url} does not say who may use it`);
  });
  app.addHook('onRequest', async (request) => {
    const { permission } = request.routeOptions.config;
    if (!permission) return;
    const principal = await principalOf(request, options);
    if (!may(principal, permission)) throw refusalOf(principal, permission);
    request.principal = principal;
    request.redaction = options.redactions[principal.role] ?? null;
    request.tenantParameter = takeTenantParameter(request);
    // Also where the route would not ask: a tenant that is not the caller's is never named in vain.
    namedTenant(request);
  });
}

/** Whether the credential that the request came with still stands for anybody. */
export async function isStillSomebody(request: FastifyRequest, credentials: Credentials): Promise<boolean> {
  const token = tokenOf(request);
  return token !== undefined && (await credentials.verify(token)) !== undefined;
}

async function principalOf(
  request: FastifyRequest,
  { credentials, failures }: AuthenticationOptions,
): Promise<Principal> {
  const token = tokenOf(request);
  const principal = token === undefined ? undefined : await credentials.verify(token);
  if (principal) return principal;
  // Nobody guesses who shows nothing.
  const retryAfterMs = request.headers.authorization === undefined ? 0 : failures.note(request.ip);
  if (retryAfterMs > 0) throw new HttpProblem('too-many-attempts', undefined, { retryAfterMs });
  throw new HttpProblem('unauthenticated', undefined, { headers: { 'www-authenticate': 'Bearer' } });
}

const tokenOf = (request: FastifyRequest): string | undefined =>
  /^Bearer +(\S{1,8192})$/i.exec(request.headers.authorization ?? '')?.[1];

function refusalOf(principal: Principal, permission: Permission): HttpProblem {
  const roleMay = may({ ...principal, tenants: '*' }, permission);
  return roleMay && !isPlatform(principal)
    ? new HttpProblem('forbidden', 'this is about all tenants: it takes a key that acts for every tenant')
    : new HttpProblem('forbidden', `the role ${principal.role} may not ${permission.replaceAll('_', ' ')}`);
}

const TENANT = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Taken out before validation: which tenant is meant is no matter of the single route. */
function takeTenantParameter(request: FastifyRequest): string | null {
  const query = request.query as Record<string, unknown>;
  const { tenant } = query;
  if (tenant === undefined) return null;
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    throw invalid('tenant', 'is for reads; name the tenant of a change in the On-Behalf-Of header');
  }
  if (typeof tenant !== 'string' || !TENANT.test(tenant)) throw invalid('tenant', 'must be a tenant id');
  delete query.tenant;
  return tenant;
}
