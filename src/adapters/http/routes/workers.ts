import { tenantsOf } from '../caller.ts';
import { workerList, workerParams } from '../contract/workers.ts';
import { formatOptionalTime } from '../rfc3339.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';

const TAGS = ['workers'];

export function workerRoutes(app: App, { workers }: ServerParts): void {
  app.get(
    '/v1/workers',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'listWorkers',
        summary: 'Workers that were heard of lately',
        tags: TAGS,
        response: answers({ 200: workerList }),
      },
    },
    async (request) => ({
      data: (await workers.list(tenantsOf(request))).map(({ workerId, lastSeenAt, ...rest }) => ({
        id: workerId,
        ...rest,
        lastSeenAt: formatOptionalTime(lastSeenAt),
      })),
    }),
  );

  for (const [method, operationId, summary, quiet] of [
    ['PUT', 'quietWorker', 'Let a worker finish what it has and claim no more', true],
    ['DELETE', 'wakeWorker', 'Let a quiet worker claim again', false],
  ] as const) {
    app.route({
      method,
      url: '/v1/workers/:workerId/quiet',
      config: { permission: 'operate', bodyOptional: true },
      schema: {
        operationId,
        summary,
        tags: TAGS,
        params: workerParams,
        response: answers({ 204: undefined }),
      },
      handler: async (request, reply) => {
        await workers.setQuiet(tenantsOf(request), request.params.workerId, quiet);
        return reply.status(204).send();
      },
    });
  }
}
