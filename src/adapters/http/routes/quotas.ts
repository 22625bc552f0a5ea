import { toTerms } from '../../../commands/plans/plan-terms.ts';
import { followLog } from '../await-position.ts';
import {
  getQuotaQuery,
  putQuotaRequest,
  quotaHistoryPage,
  quotaHistoryQuery,
  quotaReasonQuery,
  quota as quotaSchema,
  resetQuotaRequest,
} from '../contract/quotas.ts';
import { tenantParams } from '../contract/tenants.ts';
import { HttpProblem } from '../problems.ts';
import { QUOTA_PROBLEMS, quotaAnswers } from '../quota-answers.ts';
import { historyView, quotaView } from '../quota-views.ts';
import { expectedRevision, setRevision } from '../revision-headers.ts';
import { parseOptionalTime, parseTime } from '../rfc3339.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { pathContextOf, pathTenantOf } from '../tenant-scope.ts';
import { answers } from './describe.ts';
import { pageView } from './page.ts';

const TAGS = ['tenants'];

export function quotaRoutes(app: App, parts: ServerParts): void {
  const { useCases, queries } = parts;
  // Describing the API calls nothing, and has no parts.
  const tenancy = () => parts.tenancy;

  const quotas = quotaAnswers(parts);

  app.get(
    '/v1/tenants/:tenant/quota',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'getQuota',
        summary: 'What a tenant is held to and what it uses, now or at a time',
        description:
          'Limits, revision and suspension are read from the events, so they are always current; usage of unfinished ' +
          'and running jobs is within a second. With `asOf` it is what the ledger says of that time.',
        tags: TAGS,
        params: tenantParams,
        querystring: getQuotaQuery,
        response: answers({ 200: quotaSchema }, 'not-found', 'projection-behind'),
      },
    },
    async (request, reply) => {
      const tenantId = pathTenantOf(request);
      await followLog(request, reply, parts, 'quota-usage');
      const { asOf } = request.query;
      if (asOf !== undefined) {
        const now = parseTime(asOf);
        const line = await queries.balanceAt(tenantId, now);
        if (!line) throw new HttpProblem('not-found', 'nothing had been set for this tenant by then');
        const { quota } = line;
        const initialTerms = quota.terms;
        return quotaView({ tenantId, quota, revision: null, usage: undefined, initialTerms, now });
      }
      const known = await useCases.readQuota(tenantId);
      setRevision(reply, known.revision);
      return quotas.view(tenantId, known);
    },
  );

  app.put(
    '/v1/tenants/:tenant/quota',
    {
      config: { permission: 'administer_platform' },
      schema: {
        operationId: 'putQuota',
        summary: 'Hold a tenant to a plan, or to limits of its own',
        description: 'The whole document: limits that are left out are unlimited. Jobs that exist stay.',
        tags: TAGS,
        params: tenantParams,
        body: putQuotaRequest,
        response: answers({ 200: quotaSchema }, 'plan-not-found', ...QUOTA_PROBLEMS),
      },
    },
    async (request, reply) => {
      const context = pathContextOf(request);
      const { plan, reason, ...terms } = request.body;
      const options = { reason, expectedRevision: expectedRevision(request) };
      const { assign } = tenancy();
      const result = await (plan === undefined
        ? assign.toOwn(context, toTerms(terms), options)
        : assign.toPlan(context, plan, options));
      return quotas.send(reply, context.tenantId, result);
    },
  );

  app.delete(
    '/v1/tenants/:tenant/quota',
    {
      config: { permission: 'administer_platform' },
      schema: {
        operationId: 'deleteQuota',
        summary: 'Hold a tenant to what new tenants are held to',
        description: 'The plan in DEFAULT_PLAN; without it, no limits.',
        tags: TAGS,
        params: tenantParams,
        querystring: quotaReasonQuery,
        response: answers({ 200: quotaSchema }, 'plan-not-found', ...QUOTA_PROBLEMS),
      },
    },
    async (request, reply) => {
      const context = pathContextOf(request);
      const options = { reason: request.query.reason, expectedRevision: expectedRevision(request) };
      return quotas.send(reply, context.tenantId, await tenancy().assign.toDefault(context, options));
    },
  );

  app.post(
    '/v1/tenants/:tenant/quota/reset',
    {
      config: { permission: 'administer_platform' },
      schema: {
        operationId: 'resetQuota',
        summary: 'Give a tenant its day back',
        description: 'jobsPerDay counts from 0 again. Jobs that exist still count as unfinished.',
        tags: TAGS,
        params: tenantParams,
        body: resetQuotaRequest,
        response: answers({ 200: quotaSchema }, ...QUOTA_PROBLEMS),
      },
    },
    async (request, reply) => {
      const context = pathContextOf(request);
      const { reason } = request.body;
      const options = { reason, expectedRevision: expectedRevision(request) };
      return quotas.send(reply, context.tenantId, await useCases.resetQuota(context, options));
    },
  );

  app.get(
    '/v1/tenants/:tenant/quota/history',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'listQuotaHistory',
        summary:
          "A tenant's ledger, newest first: limits, usage by the minute, refusals, resets, suspensions",
        tags: TAGS,
        params: tenantParams,
        querystring: quotaHistoryQuery,
        response: answers({ 200: quotaHistoryPage }, 'invalid-cursor', 'projection-behind'),
      },
    },
    async (request, reply) => {
      const tenantId = pathTenantOf(request);
      await followLog(request, reply, parts, 'quota-usage');
      const { from, to, ...page } = request.query;
      const range = { ...page, from: parseOptionalTime(from), to: parseOptionalTime(to) };
      return pageView(await queries.quotaHistory(tenantId, range), historyView, request, reply);
    },
  );
}
