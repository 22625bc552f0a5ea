import { namesItsTopics } from '../../../commands/inbound/subscription.ts';
import type { StoredSubscription } from '../../../commands/inbound/subscription-store.ts';
import { isTenantAction } from '../../../commands/inbound/tenant-action.ts';
import { platformScopeOf, scopedContextOf, signedIn, workerContextOf } from '../caller.ts';
import {
  putSubscriptionRequest,
  type Subscription,
  subscriptionList,
  subscriptionParams,
  subscription as subscriptionSchema,
} from '../contract/inbound.ts';
import { may } from '../principal.ts';
import { HttpProblem, invalid } from '../problems.ts';
import { formatTime } from '../rfc3339.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';

const NAMES_NOTHING =
  'the part before the first dot must be written out, as in shop.** or shop.orders; only subscriptions of the platform may begin with *';
const OF_SEVERAL =
  'several tenants have a subscription of this name: say which one in the On-Behalf-Of header';
const TAGS = ['subscriptions'];

export function subscriptionRoutes(app: App, { inbound, access }: ServerParts): void {
  // Describing the API calls nothing, and has no parts.
  const store = () => inbound.subscriptions;

  app.get(
    '/v1/subscriptions',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'listSubscriptions',
        summary: 'What events of other services cause here',
        tags: TAGS,
        response: answers({ 200: subscriptionList }),
      },
    },
    async (request) => ({ data: (await store().list(platformScopeOf(request))).map(view) }),
  );

  app.get(
    '/v1/subscriptions/:name',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'getSubscription',
        summary: 'One subscription',
        tags: TAGS,
        params: subscriptionParams,
        response: answers({ 200: subscriptionSchema }, 'tenant-required', 'not-found'),
      },
    },
    async (request) => {
      const found = await store().get(request.params.name, platformScopeOf(request));
      if (!found) throw new HttpProblem('not-found', 'no such subscription');
      if (found === 'several') throw new HttpProblem('tenant-required', OF_SEVERAL);
      return view(found);
    },
  );

  app.put(
    '/v1/subscriptions/:name',
    {
      config: { permission: 'operate' },
      schema: {
        operationId: 'putSubscription',
        summary: 'Make or change a subscription',
        description:
          'Of a key that acts for every tenant, it is of the platform and sees all events; of any other key, it sees ' +
          'the events of its tenant only, and its `topic` must begin with a part without *. In force within a second or two.',
        tags: TAGS,
        params: subscriptionParams,
        body: putSubscriptionRequest,
        response: answers(
          { 200: subscriptionSchema },
          'malformed-json',
          'subscription-taken',
          'too-many-subscriptions',
          'contended',
        ),
      },
    },
    async (request) => {
      const { name } = request.params;
      const tenantId = platformScopeOf(request);
      const mayDecide = tenantId === null && may(signedIn(request), 'administer_platform');
      if (isTenantAction(request.body.action) && !mayDecide)
        throw new HttpProblem(
          'forbidden',
          'only an administrator of the platform lets events change tenants',
        );
      if (tenantId !== null && !namesItsTopics(request.body.topic)) throw invalid('/topic', NAMES_NOTHING);
      const by = workerContextOf(request).actor.id;
      const action = { action: 'subscription.put', subject: name, details: { ...request.body } };
      const note = () => access.noteAction(scopedContextOf(request), action);
      const written = await store().put({ name, tenantId, rule: request.body, by, note });
      if (written === 'taken') throw new HttpProblem('subscription-taken');
      if (written === 'too_many') throw new HttpProblem('too-many-subscriptions');
      return view(written);
    },
  );

  app.delete(
    '/v1/subscriptions/:name',
    {
      config: { permission: 'operate' },
      schema: {
        operationId: 'deleteSubscription',
        summary: 'End a subscription',
        tags: TAGS,
        params: subscriptionParams,
        response: answers(
          { 204: undefined },
          'tenant-required',
          'not-found',
          'subscription-taken',
          'contended',
        ),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const action = { action: 'subscription.delete', subject: name };
      const note = () => access.noteAction(scopedContextOf(request), action);
      const removed = await store().remove(name, platformScopeOf(request), note);
      if (removed === 'missing') throw new HttpProblem('not-found', 'no such subscription');
      if (removed === 'several') throw new HttpProblem('tenant-required', OF_SEVERAL);
      if (removed === 'taken') throw new HttpProblem('subscription-taken');
      return reply.status(204).send();
    },
  );
}

const view = ({ createdAt, updatedAt, ...rest }: StoredSubscription): Subscription => ({
  ...rest,
  createdAt: formatTime(createdAt),
  updatedAt: formatTime(updatedAt),
});
