import type { FastifyRequest } from 'fastify';
import { scopedContextOf, tenantOf, tenantsOf } from '../caller.ts';
import { quietWorkerRequest, workerList, workerParams } from '../contract/workers.ts';
import { HttpProblem } from '../problems.ts';
import { formatTime } from '../rfc3339.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';

const TAGS = ['workers'];
const SHOWN_FOR_MS = 3_600_000;

export function workerRoutes(app: App, { workers, access, clock }: ServerParts): void {
  const direct = async (
    request: FastifyRequest,
    workerId: string,
    directive: 'run' | 'quiet' | 'terminate',
  ) => {
    const noted = { action: `worker.${directive}`, subject: workerId };
    await access.noteAction(scopedContextOf(request), noted);
    const known = await workers.directWorker(scopeOf(request), workerId, directive);
    if (!known) throw new HttpProblem('not-found', 'no such worker was heard of');
  };

  app.get(
    '/v1/workers',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'listWorkers',
        summary: 'Workers that were heard of in the last hour',
        tags: TAGS,
        response: answers({ 200: workerList }),
      },
    },
    async (request) => {
      const rows = await workers.listWorkers(scopeOf(request), clock.now() - SHOWN_FOR_MS);
      return {
        data: rows.map(({ workerId, directive, lastSeenAt }) => ({
          id: workerId,
          directive,
          lastSeenAt: formatTime(lastSeenAt),
        })),
      };
    },
  );

  app.put(
    '/v1/workers/:workerId/quiet',
    {
      config: { permission: 'operate', bodyOptional: true },
      schema: {
        operationId: 'quietWorker',
        summary: 'Let a worker finish what it has and claim no more',
        tags: TAGS,
        params: workerParams,
        body: quietWorkerRequest,
        response: answers({ 204: undefined }, 'malformed-json', 'not-found'),
      },
    },
    async (request, reply) => {
      await direct(request, request.params.workerId, request.body.terminate ? 'terminate' : 'quiet');
      return reply.status(204).send();
    },
  );

  app.delete(
    '/v1/workers/:workerId/quiet',
    {
      config: { permission: 'operate' },
      schema: {
        operationId: 'wakeWorker',
        summary: 'Let a quiet worker claim again',
        tags: TAGS,
        params: workerParams,
        response: answers({ 204: undefined }, 'not-found'),
      },
    },
    async (request, reply) => {
      await direct(request, request.params.workerId, 'run');
      return reply.status(204).send();
    },
  );
}

/** Workers for every tenant are known under '*'. */
const scopeOf = (request: FastifyRequest): string => (tenantsOf(request) === '*' ? '*' : tenantOf(request));
