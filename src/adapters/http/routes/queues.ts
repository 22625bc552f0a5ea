import type { QueueRow } from '../../../projections/queries.ts';
import { followLog } from '../await-position.ts';
import { contextOf, tenantOf } from '../caller.ts';
import {
  limitQueueRequest,
  pauseQueueRequest,
  type Queue,
  queueList,
  queueParams,
  queue as queueSchema,
  resumeQueueQuery,
} from '../contract/queues.ts';
import { futureTime } from '../future-time.ts';
import { HttpProblem } from '../problems.ts';
import { setPosition } from '../revision-headers.ts';
import { formatOptionalTime, formatTime } from '../rfc3339.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';

const TAGS = ['queues'];

export function queueRoutes(app: App, parts: ServerParts): void {
  const { useCases, queries, clock } = parts;

  app.get(
    '/v1/queues',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'listQueues',
        summary: 'Queues with what waits and runs in them',
        tags: TAGS,
        response: answers({ 200: queueList }, 'projection-behind'),
      },
    },
    async (request, reply) => {
      await followLog(request, reply, parts, 'queue-stats');
      return { data: (await queries.listQueues(tenantOf(request))).map(queueView) };
    },
  );

  app.get(
    '/v1/queues/:queue',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'getQueue',
        summary: 'One queue',
        tags: TAGS,
        params: queueParams,
        response: answers({ 200: queueSchema }, 'not-found', 'projection-behind'),
      },
    },
    async (request, reply) => {
      await followLog(request, reply, parts, 'queue-stats');
      const found = await queries.getQueue(tenantOf(request), request.params.queue);
      if (!found) throw new HttpProblem('not-found', 'no such queue');
      return queueView(found);
    },
  );

  app.patch(
    '/v1/queues/:queue',
    {
      config: { permission: 'operate' },
      schema: {
        operationId: 'limitQueue',
        summary: 'Limit how many attempts run at once',
        tags: TAGS,
        params: queueParams,
        body: limitQueueRequest,
        response: answers({ 204: undefined }, 'malformed-json'),
      },
    },
    async (request, reply) => {
      const { position } = await useCases.limitQueue(contextOf(request), request.params.queue, request.body);
      return setPosition(reply, position).status(204).send();
    },
  );

  app.put(
    '/v1/queues/:queue/pause',
    {
      config: { permission: 'operate', bodyOptional: true },
      schema: {
        operationId: 'pauseQueue',
        summary: 'Hand out no more jobs of a queue',
        description: 'Running attempts go on. Repeating it changes nothing.',
        tags: TAGS,
        params: queueParams,
        body: pauseQueueRequest,
        response: answers({ 204: undefined }, 'malformed-json'),
      },
    },
    async (request, reply) => {
      const { reason, until } = request.body;
      const pause = { reason, until: futureTime('/until', until, clock.now()) };
      const { position } = await useCases.pauseQueue(contextOf(request), request.params.queue, pause);
      return setPosition(reply, position).status(204).send();
    },
  );

  app.delete(
    '/v1/queues/:queue/pause',
    {
      config: { permission: 'operate' },
      schema: {
        operationId: 'resumeQueue',
        summary: 'Hand out jobs of a queue again',
        tags: TAGS,
        params: queueParams,
        querystring: resumeQueueQuery,
        response: answers({ 204: undefined }),
      },
    },
    async (request, reply) => {
      const { position } = await useCases.resumeQueue(
        contextOf(request),
        request.params.queue,
        request.query,
      );
      return setPosition(reply, position).status(204).send();
    },
  );
}

const queueView = (row: QueueRow): Queue => ({
  name: row.queue,
  tenantId: row.tenantId,
  counts: row.counts,
  paused: row.paused && {
    ...row.paused,
    since: formatTime(row.paused.since),
    until: formatOptionalTime(row.paused.until),
  },
  concurrencyLimit: row.concurrencyLimit,
  oldestReadyAgeMs: row.oldestReadyAgeMs,
});
