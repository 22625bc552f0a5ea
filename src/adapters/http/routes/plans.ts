import type { FastifyRequest } from 'fastify';
import type { Plan } from '../../../commands/plans/plan-store.ts';
import { toTerms } from '../../../commands/plans/plan-terms.ts';
import { QUOTA_USAGE } from '../../../projections/quota-usage.ts';
import { platformContextOf, signedIn } from '../caller.ts';
import {
  type Plan as PlanView,
  planList,
  planParams,
  plan as planSchema,
  putPlanRequest,
} from '../contract/plans.ts';
import { isPlatform } from '../principal.ts';
import { HttpProblem } from '../problems.ts';
import { expectedRevision, setRevision } from '../revision-headers.ts';
import { formatTime } from '../rfc3339.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';

const TAGS = ['plans'];

export function planRoutes(app: App, parts: ServerParts): void {
  const { queries, projections, log, limits } = parts;
  // Describing the API calls nothing, and has no parts.
  const tenancy = () => parts.tenancy;

  const view = (request: FastifyRequest, plan: Plan): PlanView => ({
    name: plan.name,
    revision: plan.revision,
    limits: plan.limits,
    onExceed: plan.onExceed,
    weight: plan.weight,
    isDefault: plan.name === tenancy().defaultPlan,
    fromFile: plan.fromFile,
    applied: plan.appliedRevision === plan.revision,
    createdAt: formatTime(plan.createdAt),
    updatedAt: formatTime(plan.updatedAt),
    ...(isPlatform(signedIn(request))
      ? { updatedBy: plan.updatedBy, reason: plan.reason }
      : { updatedBy: null, reason: null }),
  });

  app.get(
    '/v1/plans',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'listPlans',
        summary: 'Named sets of limits',
        tags: TAGS,
        response: answers({ 200: planList }),
      },
    },
    async (request) => ({ data: (await tenancy().plans.list()).map((plan) => view(request, plan)) }),
  );

  app.get(
    '/v1/plans/:name',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'getPlan',
        summary: 'One plan',
        tags: TAGS,
        params: planParams,
        response: answers({ 200: planSchema }, 'plan-not-found'),
      },
    },
    async (request, reply) => {
      const found = await tenancy().plans.get(request.params.name);
      if (!found) throw new HttpProblem('plan-not-found');
      setRevision(reply, found.revision);
      return view(request, found);
    },
  );

  app.put(
    '/v1/plans/:name',
    {
      config: { permission: 'administer_platform' },
      schema: {
        operationId: 'putPlan',
        summary: 'Make or change a plan',
        description:
          'The whole document: limits that are left out are unlimited. Tenants on the plan get its terms in the ' +
          'background, one event each; `applied` says when all have them.',
        tags: TAGS,
        params: planParams,
        body: putPlanRequest,
        response: answers(
          { 200: planSchema },
          'malformed-json',
          'plan-taken',
          'revision-mismatch',
          'contended',
        ),
      },
    },
    async (request, reply) => {
      const { reason, ...terms } = request.body;
      const { name } = request.params;
      const action = { action: 'plan.put', subject: name, reason, details: terms };
      const written = await tenancy().plans.put({
        name,
        terms: toTerms(terms),
        by: signedIn(request).name,
        reason,
        expectedRevision: expectedRevision(request),
        note: () => parts.access.noteAction(platformContextOf(request), action),
      });
      if (written === 'taken') throw new HttpProblem('plan-taken');
      if (written === 'revision_mismatch') throw new HttpProblem('revision-mismatch');
      setRevision(reply, written.revision);
      return view(request, written);
    },
  );

  app.delete(
    '/v1/plans/:name',
    {
      config: { permission: 'administer_platform' },
      schema: {
        operationId: 'deletePlan',
        summary: 'End a plan that nobody is on',
        tags: TAGS,
        params: planParams,
        response: answers(
          { 204: undefined },
          'plan-not-found',
          'plan-taken',
          'plan-in-use',
          'revision-mismatch',
          'contended',
          'projection-behind',
        ),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { plans, defaultPlan } = tenancy();
      // Tenants that were put on the plan a moment ago must be in the list.
      if (!(await projections.waitFor(QUOTA_USAGE, await log.head(), limits.awaitMs)))
        throw new HttpProblem('projection-behind', undefined, { retryAfterMs: 1_000 });
      const { rows } = await queries.listTenants({ plan: name }, { limit: 1 });
      if (name === defaultPlan || rows.length > 0) throw new HttpProblem('plan-in-use');
      const action = { action: 'plan.delete', subject: name };
      const removed = await plans.remove(name, {
        expectedRevision: expectedRevision(request),
        note: () => parts.access.noteAction(platformContextOf(request), action),
      });
      if (removed === 'missing') throw new HttpProblem('plan-not-found');
      if (removed === 'taken') throw new HttpProblem('plan-taken');
      if (removed === 'revision_mismatch') throw new HttpProblem('revision-mismatch');
      return reply.status(204).send();
    },
  );
}
