import { NO_STREAM } from '../../../commands/ports.ts';
import { followLog } from '../await-position.ts';
import { platformScopeOf, tenantsOf } from '../caller.ts';
import { pauseTenantRequest, quotaReasonQuery, quota as quotaSchema } from '../contract/quotas.ts';
import {
  listTenantsQuery,
  type Tenant,
  tenantPage,
  tenantParams,
  tenant as tenantSchema,
} from '../contract/tenants.ts';
import { futureTime } from '../future-time.ts';
import { QUOTA_PROBLEMS, quotaAnswers } from '../quota-answers.ts';
import { quotaView, tenantView } from '../quota-views.ts';
import { expectedRevision } from '../revision-headers.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { pathContextOf, pathTenantOf } from '../tenant-scope.ts';
import { answers } from './describe.ts';
import { pageView } from './page.ts';

const TAGS = ['tenants'];
/** Tenants of one credential are few: they are one page. */
const MOST_OWN = 200;

export function tenantRoutes(app: App, parts: ServerParts): void {
  const { useCases, queries, clock } = parts;
  // Describing the API calls nothing, and has no parts.
  const tenancy = () => parts.tenancy;
  const quotas = quotaAnswers(parts);

  async function one(tenantId: string): Promise<Tenant> {
    const [usage, initialTerms] = await Promise.all([queries.usageOf(tenantId), tenancy().initialTerms()]);
    const now = clock.now();
    if (usage) return tenantView(usage, initialTerms, now);
    const nothing = { quota: undefined, revision: NO_STREAM, usage: undefined, initialTerms, now };
    const { tenantId: id, ...view } = quotaView({ tenantId, ...nothing });
    return { id, ...view, updatedAt: null };
  }

  app.get(
    '/v1/tenants',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'listTenants',
        summary: 'Tenants with what they are held to and what they use, by id',
        description:
          'All that ever enqueued or were given a quota, for a key that acts for every tenant; for any other key, its own.',
        tags: TAGS,
        querystring: listTenantsQuery,
        response: answers({ 200: tenantPage }, 'invalid-cursor', 'projection-behind'),
      },
    },
    async (request, reply) => {
      await followLog(request, reply, parts, 'quota-usage');
      const { limit, cursor, plan, suspended } = request.query;
      const own = platformScopeOf(request) === null ? '*' : tenantsOf(request);
      if (own === '*') {
        const [page, initialTerms] = await Promise.all([
          queries.listTenants({ plan, suspended }, { limit, cursor }),
          tenancy().initialTerms(),
        ]);
        return pageView(page, (row) => tenantView(row, initialTerms, clock.now()), request, reply);
      }
      const found = await Promise.all(own.toSorted().slice(0, MOST_OWN).map(one));
      const data = found.filter(
        (tenant) =>
          (plan === undefined || tenant.plan === plan) &&
          (suspended === undefined || (tenant.suspended !== null) === suspended),
      );
      return { data, nextCursor: null, prevCursor: null };
    },
  );

  app.get(
    '/v1/tenants/:tenant',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'getTenant',
        summary: 'One tenant',
        tags: TAGS,
        params: tenantParams,
        response: answers({ 200: tenantSchema }, 'projection-behind'),
      },
    },
    async (request, reply) => {
      const tenantId = pathTenantOf(request);
      await followLog(request, reply, parts, 'quota-usage');
      return one(tenantId);
    },
  );

  app.put(
    '/v1/tenants/:tenant/pause',
    {
      config: { permission: 'administer_platform' },
      schema: {
        operationId: 'pauseTenant',
        summary: 'Suspend a tenant',
        description:
          'No attempt of the tenant starts; with mode all nothing is enqueued, either. Attempts that run may finish. ' +
          'Repeating it changes mode, reason and end, not since when.',
        tags: TAGS,
        params: tenantParams,
        body: pauseTenantRequest,
        response: answers({ 200: quotaSchema }, ...QUOTA_PROBLEMS),
      },
    },
    async (request, reply) => {
      const context = pathContextOf(request);
      const { mode = 'claims', reason, until } = request.body;
      const options = {
        mode,
        reason,
        until: futureTime('/until', until, clock.now()),
        expectedRevision: expectedRevision(request),
      };
      await tenancy().ensureTerms(context.tenantId, context.correlationId);
      return quotas.send(reply, context.tenantId, await useCases.suspendTenant(context, options));
    },
  );

  app.delete(
    '/v1/tenants/:tenant/pause',
    {
      config: { permission: 'administer_platform' },
      schema: {
        operationId: 'resumeTenant',
        summary: 'Let a tenant go on',
        tags: TAGS,
        params: tenantParams,
        querystring: quotaReasonQuery,
        response: answers({ 200: quotaSchema }, ...QUOTA_PROBLEMS),
      },
    },
    async (request, reply) => {
      const context = pathContextOf(request);
      const options = { reason: request.query.reason, expectedRevision: expectedRevision(request) };
      return quotas.send(reply, context.tenantId, await useCases.resumeTenant(context, options));
    },
  );
}
