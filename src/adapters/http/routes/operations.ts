import type { z } from 'zod';
import { followLog } from '../await-position.ts';
import { contextOf, tenantOf } from '../caller.ts';
import {
  listOperationsQuery,
  type Operation,
  operationPage,
  operationParams,
  operationPreview,
  operation as operationSchema,
  startOperationRequest,
} from '../contract/operations.ts';
import type { OperationOrder, OperationRow } from '../operation-store.ts';
import { HttpProblem } from '../problems.ts';
import { formatOptionalTime, formatTime, parseOptionalTime } from '../rfc3339.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';
import { pageView } from './page.ts';

const TAGS = ['operations'];

export function operationRoutes(app: App, parts: ServerParts): void {
  const { operations, operationStore } = parts;
  const find = async (tenantId: string, operationId: string): Promise<Operation> => {
    const row = await operationStore.get(tenantId, operationId);
    if (!row) throw new HttpProblem('not-found', 'no such operation');
    return operationView(row);
  };

  app.post(
    '/v1/operations',
    {
      config: { permission: 'operate', idempotent: true },
      schema: {
        operationId: 'startOperation',
        summary: 'Cancel, retry, replay or purge many jobs',
        description:
          'Answers at once (202) and goes on by itself; `dryRun` only says what it would find (200).',
        tags: TAGS,
        body: startOperationRequest,
        response: answers(
          { 200: operationPreview, 202: operationSchema },
          'malformed-json',
          'tenant-required',
        ),
      },
    },
    async (request, reply) => {
      const order = toOrder(request.body);
      const isForJobs = order.action === 'cancel' || order.action === 'retry';
      await followLog(request, reply, parts, isForJobs ? 'jobs' : 'dead-letters');
      if (request.body.dryRun) return operations.preview(tenantOf(request), order);
      const row = await operations.start(contextOf(request), order);
      return reply
        .status(202)
        .header('location', `/v1/operations/${row.operationId}`)
        .send(operationView(row));
    },
  );

  app.get(
    '/v1/operations',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'listOperations',
        summary: 'Operations, newest first',
        tags: TAGS,
        querystring: listOperationsQuery,
        response: answers({ 200: operationPage }, 'invalid-cursor'),
      },
    },
    async (request, reply) => {
      const page = await operationStore.list(tenantOf(request), request.query);
      return pageView(page, operationView, request, reply);
    },
  );

  app.get(
    '/v1/operations/:id',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'getOperation',
        summary: 'How far an operation is',
        tags: TAGS,
        params: operationParams,
        response: answers({ 200: operationSchema }, 'not-found'),
      },
    },
    async (request) => find(tenantOf(request), request.params.id),
  );

  app.post(
    '/v1/operations/:id/abort',
    {
      config: { permission: 'operate' },
      schema: {
        operationId: 'abortOperation',
        summary: 'Stop an operation; what it has changed stays changed',
        tags: TAGS,
        params: operationParams,
        response: answers({ 200: operationSchema }, 'not-found'),
      },
    },
    async (request) => {
      const tenantId = tenantOf(request);
      await operationStore.abort(tenantId, request.params.id);
      return find(tenantId, request.params.id);
    },
  );
}

function toOrder({ action, ids, reason, filter }: z.output<typeof startOperationRequest>): OperationOrder {
  if (!filter) return { action, ids, reason };
  const { fingerprint, createdAfter, createdBefore, ...rest } = filter;
  const times = {
    createdAfter: parseOptionalTime(createdAfter),
    createdBefore: parseOptionalTime(createdBefore),
  };
  return { action, reason, filter: { ...rest, ...times, error: fingerprint } };
}

const operationView = ({ operationId, startedAt, finishedAt, ...row }: OperationRow): Operation => ({
  id: operationId,
  ...row,
  startedAt: formatTime(startedAt),
  finishedAt: formatOptionalTime(finishedAt),
});
