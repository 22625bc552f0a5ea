import type { z } from 'zod';
import type { Republication as Found, RepublicationOrder } from '../../kafka/republication.ts';
import { doneOf } from '../../kafka/republisher.ts';
import { platformContextOf, workerContextOf } from '../caller.ts';
import {
  type Republication,
  republicationList,
  republicationParams,
  republication as republicationSchema,
  republishRequest,
} from '../contract/republications.ts';
import { HttpProblem } from '../problems.ts';
import { formatOptionalTime, formatTime, parseOptionalTime } from '../rfc3339.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';

const TAGS = ['events'];
const PATH = '/v1/forwarder/republications';

export function republicationRoutes(app: App, parts: ServerParts): void {
  const { access, clock, republisher, republicationStore } = parts;
  const view = (found: Found) => republicationView(found, clock.now());
  const find = async (id: string): Promise<Republication> => {
    const found = await republicationStore.get(id);
    if (!found) throw new HttpProblem('not-found', 'no such republication');
    return view(found);
  };

  app.post(
    PATH,
    {
      config: { permission: 'administer_platform', idempotent: true },
      schema: {
        operationId: 'republishEvents',
        summary: 'Send public events to Kafka once more',
        description:
          'Answers at once (202) and goes on by itself. Ids stay the same, and so does the order of each tenant. ' +
          'Needs a key for all tenants.',
        tags: TAGS,
        body: republishRequest,
        response: answers({ 202: republicationSchema }, 'malformed-json', 'nobody-forwards'),
      },
    },
    async (request, reply) => {
      const order = await toOrder(request.body, parts);
      const { actor } = workerContextOf(request);
      await access.noteAction(platformContextOf(request), {
        action: 'events.republish',
        subject: 'forwarder',
        details: request.body,
      });
      const accepted = await republisher.start(actor, order);
      return reply.status(202).header('location', `${PATH}/${accepted.id}`).send(view(accepted));
    },
  );

  app.get(
    PATH,
    {
      config: { permission: 'administer_platform' },
      schema: {
        operationId: 'listRepublications',
        summary: 'Republications, newest first',
        tags: TAGS,
        response: answers({ 200: republicationList }),
      },
    },
    async () => ({ data: (await republicationStore.list()).map(view) }),
  );

  app.get(
    `${PATH}/:id`,
    {
      config: { permission: 'administer_platform' },
      schema: {
        operationId: 'getRepublication',
        summary: 'How far a republication is',
        tags: TAGS,
        params: republicationParams,
        response: answers({ 200: republicationSchema }, 'not-found'),
      },
    },
    async (request) => find(request.params.id),
  );

  app.post(
    `${PATH}/:id/abort`,
    {
      config: { permission: 'administer_platform' },
      schema: {
        operationId: 'abortRepublication',
        summary: 'Stop a republication; what it has sent stays sent',
        tags: TAGS,
        params: republicationParams,
        response: answers({ 200: republicationSchema }, 'not-found'),
      },
    },
    async (request) => {
      const { id } = request.params;
      await access.noteAction(platformContextOf(request), { action: 'events.republish.abort', subject: id });
      await republicationStore.abort(id);
      return find(request.params.id);
    },
  );
}

async function toOrder(
  { afterPosition = '0', toPosition, fromTime, toTime, ...rest }: z.output<typeof republishRequest>,
  { forwarderStatus }: Pick<ServerParts, 'forwarderStatus'>,
): Promise<RepublicationOrder> {
  const { leader, position, head } = await forwarderStatus.read();
  if (leader === null) throw new HttpProblem('nobody-forwards');
  const { topicSuffix = '', dryRun = false, tenantId } = rest;
  // What the feed has not sent yet would overtake what it sends next.
  const most = topicSuffix === '' && position < head ? position : head;
  const wanted = toPosition === undefined ? most : BigInt(toPosition);
  return {
    after: BigInt(afterPosition),
    to: wanted < most ? wanted : most,
    fromTime: parseOptionalTime(fromTime),
    toTime: parseOptionalTime(toTime),
    tenantId,
    topicSuffix,
    dryRun,
  };
}

function republicationView(found: Found, now: number): Republication {
  const { id, status, after, to, fromTime, toTime, position, startedAt, finishedAt } = found;
  const done = status === 'done' ? 1 : Math.min(1, Math.max(0, doneOf(found)));
  const { tenantId = null, topicSuffix, dryRun, found: events, refused, eventsPerSecond, by, error } = found;
  const isUnderWay = status === 'running' && done > 0;
  return {
    id,
    status,
    afterPosition: String(after),
    toPosition: String(to),
    fromTime: formatOptionalTime(fromTime ?? null),
    toTime: formatOptionalTime(toTime ?? null),
    tenantId,
    topicSuffix,
    dryRun,
    position: String(position),
    done,
    found: events,
    refused,
    eventsPerSecond: status === 'running' ? eventsPerSecond : 0,
    etaMs: isUnderWay ? Math.round(Math.max(0, now - startedAt) * (1 / done - 1)) : null,
    by,
    error,
    startedAt: formatTime(startedAt),
    finishedAt: formatOptionalTime(finishedAt),
  };
}
