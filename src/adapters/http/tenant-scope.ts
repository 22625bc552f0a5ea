import type { FastifyRequest } from 'fastify';
import type { CallContext } from '../../commands/call-context.ts';
import { signedIn, workerContextOf } from './caller.ts';
import { isPlatform } from './principal.ts';
import { HttpProblem } from './problems.ts';

type OfTenant = FastifyRequest & { readonly params: { readonly tenant: string } };

/** The tenant in the path, which must be one of the credential's; a platform's may name any. */
export function pathTenantOf(request: OfTenant): string {
  const { tenant } = request.params;
  const principal = signedIn(request);
  if (isPlatform(principal) || principal.tenants.includes(tenant)) return tenant;
  throw new HttpProblem('forbidden', 'the API key is not bound to this tenant');
}

/** Who asks, about the tenant in the path. */
export const pathContextOf = (request: OfTenant): CallContext => ({
  ...workerContextOf(request),
  tenantId: pathTenantOf(request),
  requestId: request.id,
});
