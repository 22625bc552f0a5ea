import type { DeadLetterRow } from '../../../projections/queries.ts';
import { errorAsSeen, payloadOf, refuseBlindEdit, snapshotAsSeen } from '../as-seen.ts';
import { followLog } from '../await-position.ts';
import { contextOf, tenantOf } from '../caller.ts';
import {
  type DeadLetter,
  deadLetterDetail,
  deadLetterGroupList,
  deadLetterPage,
  groupDeadLettersQuery,
  listDeadLettersQuery,
  purgeDeadLetterQuery,
  replayDeadLetterRequest,
} from '../contract/dead-letters.ts';
import { jobParams, job as jobSchema } from '../contract/jobs.ts';
import { jobChangeOf, sendJob } from '../job-change.ts';
import { jobToJson } from '../job-json.ts';
import { accept, HttpProblem } from '../problems.ts';
import type { Redaction } from '../redaction.ts';
import { expectedRevision, setRevision } from '../revision-headers.ts';
import { formatTime } from '../rfc3339.ts';
import { sendJson } from '../send-json.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';
import { attemptView } from './job-views.ts';
import { pageView } from './page.ts';

const TAGS = ['dead letters'];
const CHANGE_PROBLEMS = ['job-not-found', 'not-dead-lettered', 'contended', 'revision-mismatch'] as const;

export function deadLetterRoutes(app: App, parts: ServerParts): void {
  const { useCases, queries, readJob, clock, limits } = parts;

  app.get(
    '/v1/dead-letters',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'listDeadLetters',
        summary: 'Jobs that wait for a person, newest first',
        tags: TAGS,
        querystring: listDeadLettersQuery,
        response: answers({ 200: deadLetterPage }, 'invalid-cursor', 'projection-behind'),
      },
    },
    async (request, reply) => {
      await followLog(request, reply, parts, 'dead-letters');
      const { limit, cursor, ...filter } = request.query;
      const page = await queries.listDeadLetters(tenantOf(request), filter, { limit, cursor });
      return pageView(page, (row) => deadLetterView(row, request.redaction), request, reply);
    },
  );

  app.get(
    '/v1/dead-letters/groups',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'groupDeadLetters',
        summary: 'Dead letters by kind of error',
        tags: TAGS,
        querystring: groupDeadLettersQuery,
        response: answers({ 200: deadLetterGroupList }, 'projection-behind'),
      },
    },
    async (request, reply) => {
      await followLog(request, reply, parts, 'dead-letters');
      const { limit, ...filter } = request.query;
      const groups = await queries.groupDeadLetters(tenantOf(request), filter, limit);
      return {
        data: groups.map((group) => ({
          ...errorAsSeen(group, request.redaction),
          firstAt: formatTime(group.firstAt),
          lastAt: formatTime(group.lastAt),
        })),
      };
    },
  );

  app.get(
    '/v1/dead-letters/:id',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'getDeadLetter',
        summary: 'A dead letter with its job and attempts',
        tags: TAGS,
        params: jobParams,
        response: answers({ 200: deadLetterDetail }, 'job-not-found', 'not-dead-lettered'),
      },
    },
    async (request, reply) => {
      const tenantId = tenantOf(request);
      const found = await readJob(tenantId, request.params.id, {});
      if (!found) throw new HttpProblem('job-not-found');
      if (found.job.status !== 'dead_lettered') throw new HttpProblem('not-dead-lettered');
      const rows = await queries.listAttempts(tenantId, request.params.id);
      const attempts = rows.map((row) => attemptView(row, request.redaction));
      setRevision(reply, found.revision);
      const seen = snapshotAsSeen(found, request.redaction);
      const json = `{"job":${jobToJson(seen, clock.now())},"attempts":${JSON.stringify(attempts)}}`;
      return sendJson(reply, 200, json);
    },
  );

  app.post(
    '/v1/dead-letters/:id/replay',
    {
      config: { permission: 'operate', idempotent: true, bodyOptional: true },
      schema: {
        operationId: 'replayDeadLetter',
        summary: 'Run a dead letter again, its payload edited or not',
        tags: TAGS,
        params: jobParams,
        body: replayDeadLetterRequest,
        response: answers(
          { 200: jobSchema },
          'malformed-json',
          'payload-redacted',
          'payload-too-large',
          'run-at-out-of-range',
          ...CHANGE_PROBLEMS,
        ),
      },
    },
    async (request, reply) => {
      const change = jobChangeOf(request, limits.contentBytes);
      await refuseBlindEdit(request, change, payloadOf(readJob, tenantOf(request), request.params.id));
      const done = accept(await useCases.replayDeadLetter(contextOf(request), request.params.id, change));
      return sendJob(reply, done, clock.now());
    },
  );

  app.delete(
    '/v1/dead-letters/:id',
    {
      config: { permission: 'operate' },
      schema: {
        operationId: 'purgeDeadLetter',
        summary: 'Give a dead letter up for ever',
        tags: TAGS,
        params: jobParams,
        querystring: purgeDeadLetterQuery,
        response: answers({ 204: undefined }, ...CHANGE_PROBLEMS),
      },
    },
    async (request, reply) => {
      const change = { reason: request.query.reason, expectedRevision: expectedRevision(request) };
      const done = accept(await useCases.purgeDeadLetter(contextOf(request), request.params.id, change));
      return setRevision(reply, done.snapshot.revision, done.position).status(204).send();
    },
  );
}

const deadLetterView = (row: DeadLetterRow, redaction: Redaction | null): DeadLetter => ({
  ...row,
  error: errorAsSeen(row.error, redaction),
  enqueuedAt: formatTime(row.enqueuedAt),
  deadLetteredAt: formatTime(row.deadLetteredAt),
});
