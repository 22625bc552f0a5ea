import type { FastifyRequest } from 'fastify';
import { differenceCount } from '../../../projections/compare-tables.ts';
import { platformContextOf, signedIn } from '../caller.ts';
import {
  type Projection,
  projectionList,
  projectionParams,
  projection as projectionSchema,
  rebuildProjectionRequest,
  rolledBack,
  verifyProjectionRequest,
} from '../contract/projections.ts';
import { isPlatform } from '../principal.ts';
import { HttpProblem } from '../problems.ts';
import { formatOptionalTime, formatTime, parseOptionalTime } from '../rfc3339.ts';
import type { App, ProjectionControl, RebuildState, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';

const TAGS = ['projections'];

export function projectionRoutes(app: App, { projections, access }: ServerParts): void {
  const find = async (name: string, request: FastifyRequest): Promise<Projection> => {
    const found = (await projections.list()).find((one) => one.name === name);
    if (!found) throw new HttpProblem('not-found', 'no such projection');
    return projectionView(found, isPlatform(signedIn(request)));
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
    async (request) => {
      const whole = isPlatform(signedIn(request));
      return { data: (await projections.list()).map((one) => projectionView(one, whole)) };
    },
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
    async (request) => find(request.params.name, request),
  );

  app.post(
    '/v1/projections/:name/rebuild',
    {
      config: { permission: 'administer_platform', idempotent: true, bodyOptional: true },
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
      await find(name, request);
      await access.noteAction(platformContextOf(request), {
        action: 'projection.rebuild',
        subject: name,
        details: request.body,
      });
      projections.rebuild(name, {
        tenant: tenantId,
        dryRun,
        toPosition: toPosition === undefined ? undefined : BigInt(toPosition),
        toTime: parseOptionalTime(toTime),
      });
      return reply
        .status(202)
        .header('location', `/v1/projections/${name}`)
        .send(await find(name, request));
    },
  );

  app.post(
    '/v1/projections/:name/verify',
    {
      config: { permission: 'administer_platform', idempotent: true, bodyOptional: true },
      schema: {
        operationId: 'verifyProjection',
        summary: 'Fold the log anew and compare every row with the live ones',
        description: 'Changes nothing. Answers at once; watch `rebuild` at GET /v1/projections/{name}.',
        tags: TAGS,
        params: projectionParams,
        body: verifyProjectionRequest,
        response: answers({ 202: projectionSchema }, 'malformed-json', 'not-found', 'already-rebuilding'),
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      await find(name, request);
      await access.noteAction(platformContextOf(request), {
        action: 'projection.verify',
        subject: name,
        details: request.body,
      });
      projections.rebuild(name, { tenant: request.body.tenantId, dryRun: true });
      return reply
        .status(202)
        .header('location', `/v1/projections/${name}`)
        .send(await find(name, request));
    },
  );

  app.post(
    '/v1/projections/:name/rollback',
    {
      config: { permission: 'administer_platform', idempotent: true },
      schema: {
        operationId: 'rollBackProjection',
        summary: 'Show the tables that the last rebuild replaced',
        description: 'What has happened since is applied to them first.',
        tags: TAGS,
        params: projectionParams,
        response: answers({ 200: rolledBack }, 'not-found', 'nothing-to-roll-back', 'already-rebuilding'),
      },
    },
    async (request) => {
      const { name } = request.params;
      await find(name, request);
      await access.noteAction(platformContextOf(request), {
        action: 'projection.rollback',
        subject: name,
      });
      return { name, position: String(await projections.rollback(name)) };
    },
  );
}

type Status = Awaited<ReturnType<ProjectionControl['list']>>[number];

/** `whole`: with words that may be about other tenants. */
const projectionView = (
  { position, head, lagMs, lastError, building, rebuild, ...rest }: Status,
  whole: boolean,
): Projection => ({
  ...rest,
  position: String(position),
  head: String(head),
  lagMs: Math.round(lagMs),
  lastError: lastError && {
    message: whole ? lastError.message : 'a key that acts for every tenant sees it',
    at: formatTime(lastError.at),
    attempts: lastError.attempts,
  },
  building: building && { ...building, position: String(building.position) },
  rebuild: rebuild && rebuildView(rebuild, whole),
});

const rebuildView = (
  { phase, startedAt, finishedAt, progress, report, error, errorCode }: RebuildState,
  whole: boolean,
): Projection['rebuild'] => ({
  phase,
  startedAt: formatTime(startedAt),
  finishedAt: formatOptionalTime(finishedAt),
  events: progress.events,
  totalEvents: progress.totalEvents,
  done: progress.done,
  eventsPerSecond: progress.eventsPerSecond,
  etaMs: progress.etaMs === null ? null : Math.round(progress.etaMs),
  outcome: report?.outcome ?? null,
  differences: report?.comparison ? differenceCount(report.comparison.tables) : null,
  // Without the sample rows: they may be other tenants'.
  tables: report?.comparison?.tables.map(({ samples, ...counts }) => counts) ?? null,
  error: error !== null && !whole ? 'a key that acts for every tenant sees it' : error,
  errorCode,
});
