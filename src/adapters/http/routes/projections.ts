import {
  type Projection,
  projectionList,
  projectionParams,
  projection as projectionSchema,
  rebuildProjectionRequest,
} from '../contract/projections.ts';
import { HttpProblem } from '../problems.ts';
import { formatTime, parseOptionalTime } from '../rfc3339.ts';
import type { App, ProjectionStatus, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';

const TAGS = ['projections'];

export function projectionRoutes(app: App, { projections }: ServerParts): void {
  const find = async (name: string): Promise<Projection> => {
    const found = (await projections.list()).find((one) => one.name === name);
    if (!found) throw new HttpProblem('not-found', 'no such projection');
    return projectionView(found);
  };

  app.get(
    '/v1/projections',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'listProjections',
        summary: 'Read models, how current they are, and running rebuilds',
        tags: TAGS,
        response: answers({ 200: projectionList }),
      },
    },
    async () => ({ data: (await projections.list()).map(projectionView) }),
  );

  app.get(
    '/v1/projections/:name',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'getProjection',
        summary: 'One read model',
        tags: TAGS,
        params: projectionParams,
        response: answers({ 200: projectionSchema }, 'not-found'),
      },
    },
    async (request) => find(request.params.name),
  );

  app.post(
    '/v1/projections/:name/rebuild',
    {
      config: { permission: 'administer', idempotent: true, bodyOptional: true },
      schema: {
        operationId: 'rebuildProjection',
        summary: 'Build a read model anew beside the live one, then swap',
        description: 'Answers at once; watch `rebuild` at GET /v1/projections/{name}.',
        tags: TAGS,
        params: projectionParams,
        body: rebuildProjectionRequest,
        response: answers({ 202: projectionSchema }, 'malformed-json', 'not-found', 'already-rebuilding'),
      },
    },
    async (request, reply) => {
      const { toPosition, toTime, dryRun, tenantId } = request.body;
      const { name } = request.params;
      const known = await projections.rebuild(name, {
        tenantId,
        dryRun,
        toPosition: toPosition === undefined ? undefined : BigInt(toPosition),
        toTime: parseOptionalTime(toTime),
      });
      if (!known) throw new HttpProblem('not-found', 'no such projection');
      return reply
        .status(202)
        .header('location', `/v1/projections/${name}`)
        .send(await find(name));
    },
  );
}

const projectionView = ({ name, version, position, head, lagMs, rebuild }: ProjectionStatus): Projection => ({
  name,
  version,
  position: String(position),
  head: String(head),
  lagMs: Math.round(lagMs),
  rebuild: rebuild && {
    ...rebuild,
    startedAt: formatTime(rebuild.startedAt),
    position: String(rebuild.position),
    target: String(rebuild.target),
  },
});
