import { jobStream } from '../../../domain/job/stream.ts';
import { payloadOf, refuseBlindEdit, snapshotAsSeen } from '../as-seen.ts';
import { followLog } from '../await-position.ts';
import { contextOf, tenantOf } from '../caller.ts';
import { jobEventsQuery, jobHistory } from '../contract/events.ts';
import {
  amendJobRequest,
  cancelJobRequest,
  getJobQuery,
  jobAttemptList,
  jobPage,
  jobParams,
  job as jobSchema,
  listJobsQuery,
  retryJobRequest,
} from '../contract/jobs.ts';
import { historyToJson } from '../history-json.ts';
import { jobChangeOf, sendJob } from '../job-change.ts';
import { jobToJson } from '../job-json.ts';
import { accept, HttpProblem, invalid } from '../problems.ts';
import { expectedRevision, isKnown, setRevision } from '../revision-headers.ts';
import { parseOptionalTime, parseTime } from '../rfc3339.ts';
import { sendJson } from '../send-json.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';
import { attemptView, summaryView } from './job-views.ts';
import { pageView } from './page.ts';

const TAGS = ['jobs'];
const CHANGE_PROBLEMS = [
  'malformed-json',
  'tenant-required',
  'job-not-found',
  'job-finished',
  'job-running',
  'job-waiting',
  'job-dead-lettered',
  'contended',
  'revision-mismatch',
  'payload-redacted',
  'payload-too-large',
  'unsupported-media-type',
  'run-at-out-of-range',
  'log-overloaded',
  'log-unavailable',
] as const;

export function jobRoutes(app: App, parts: ServerParts): void {
  const { useCases, queries, readJob, log, clock, limits } = parts;

  /** What to say of a job that exists, though not at the moment asked for; undefined when there is none at all. */
  async function whyNotThen(
    tenantId: string,
    id: string,
    { revision, asOf }: { readonly revision?: number | undefined; readonly asOf?: string | undefined },
  ): Promise<string | undefined> {
    if (revision === undefined && asOf === undefined) return undefined;
    const now = await readJob(tenantId, id);
    if (!now) return undefined;
    return revision === undefined
      ? `The job did not exist yet at ${asOf}.`
      : `The job has no revision ${revision}: it is at ${now.revision}.`;
  }

  app.get(
    '/v1/jobs',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'listJobs',
        summary: 'List jobs, newest first',
        tags: TAGS,
        querystring: listJobsQuery,
        response: answers({ 200: jobPage }, 'invalid-cursor', 'projection-behind'),
      },
    },
    async (request, reply) => {
      await followLog(request, reply, parts, 'jobs');
      const { limit, cursor, worker, createdAfter, createdBefore, ...filter } = request.query;
      const times = {
        createdAfter: parseOptionalTime(createdAfter),
        createdBefore: parseOptionalTime(createdBefore),
      };
      const page = await queries.listJobs(
        tenantOf(request),
        { ...filter, ...times, workerId: worker },
        { limit, cursor },
      );
      return pageView(page, (row) => summaryView(row, clock.now(), request.redaction), request, reply);
    },
  );

  app.get(
    '/v1/jobs/:id',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'getJob',
        summary: 'A job as it stands, or as it stood',
        description:
          'Read from the events themselves, so it is always current. `revision` or `asOf` travel in time.',
        tags: TAGS,
        params: jobParams,
        querystring: getJobQuery,
        response: answers({ 200: jobSchema, 304: undefined }, 'job-not-found'),
      },
    },
    async (request, reply) => {
      const { revision, asOf } = request.query;
      if (revision !== undefined && asOf !== undefined)
        throw invalid('asOf', 'give revision or asOf, not both');
      const at = asOf === undefined ? { revision } : { asOf: parseTime(asOf) };
      const found = await readJob(tenantOf(request), request.params.id, at);
      if (!found)
        throw new HttpProblem(
          'job-not-found',
          await whyNotThen(tenantOf(request), request.params.id, request.query),
        );
      setRevision(reply, found.revision);
      // A waiting job becomes ready by time alone, with the revision it has.
      const settled = found.job.status !== 'scheduled' && found.job.status !== 'retrying';
      if (settled && isKnown(request, found.revision)) return reply.status(304).send();
      const seen = snapshotAsSeen(found, request.redaction);
      return sendJson(reply, 200, jobToJson(seen, at.asOf ?? clock.now()));
    },
  );

  app.get(
    '/v1/jobs/:id/events',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'listJobEvents',
        summary: "A job's whole life, event by event",
        tags: TAGS,
        params: jobParams,
        querystring: jobEventsQuery,
        response: answers({ 200: jobHistory }, 'job-not-found'),
      },
    },
    async (request, reply) => {
      const { fromRevision, direction = 'forwards', limit } = request.query;
      const stream = jobStream(tenantOf(request), request.params.id);
      const from = fromRevision === undefined ? {} : { fromRevision };
      const events = await log.readStream(stream, { ...from, direction, limit: limit + 1 });
      const exists = events.length > 0 || (await log.readStream(stream, { limit: 1 })).length > 0;
      if (!exists) throw new HttpProblem('job-not-found');
      return sendJson(reply, 200, historyToJson(events, limit, request.redaction));
    },
  );

  app.get(
    '/v1/jobs/:id/attempts',
    {
      config: { permission: 'read' },
      schema: {
        operationId: 'listJobAttempts',
        summary: 'Who worked on a job, when, and how it ended',
        tags: TAGS,
        params: jobParams,
        response: answers({ 200: jobAttemptList }, 'job-not-found', 'projection-behind'),
      },
    },
    async (request, reply) => {
      await followLog(request, reply, parts, 'jobs');
      const tenantId = tenantOf(request);
      const rows = await queries.listAttempts(tenantId, request.params.id);
      if (rows.length === 0 && !(await readJob(tenantId, request.params.id, {}))) {
        throw new HttpProblem('job-not-found');
      }
      return { data: rows.map((row) => attemptView(row, request.redaction)) };
    },
  );

  app.post(
    '/v1/jobs/:id/cancel',
    {
      config: { permission: 'enqueue', idempotent: true, bodyOptional: true },
      schema: {
        operationId: 'cancelJob',
        summary: 'Cancel a job',
        description:
          '202 when a worker has it: the worker is asked to stop, and the cancel is forced after graceMs.',
        tags: TAGS,
        params: jobParams,
        body: cancelJobRequest,
        response: answers({ 200: jobSchema, 202: jobSchema }, ...CHANGE_PROBLEMS),
      },
    },
    async (request, reply) => {
      const change = { ...request.body, expectedRevision: expectedRevision(request) };
      const done = accept(await useCases.cancelJob(contextOf(request), request.params.id, change));
      return sendJob(reply, done, clock.now(), done.snapshot.job.status === 'running' ? 202 : 200);
    },
  );

  app.post(
    '/v1/jobs/:id/retry',
    {
      config: { permission: 'enqueue', idempotent: true, bodyOptional: true },
      schema: {
        operationId: 'retryJob',
        summary: 'Run a retrying job again now, or at another time',
        tags: TAGS,
        params: jobParams,
        body: retryJobRequest,
        response: answers({ 200: jobSchema }, ...CHANGE_PROBLEMS),
      },
    },
    async (request, reply) => {
      const change = jobChangeOf(request, limits.contentBytes);
      await refuseBlindEdit(request, change, payloadOf(readJob, tenantOf(request), request.params.id));
      const done = accept(await useCases.retryJob(contextOf(request), request.params.id, change));
      return sendJob(reply, done, clock.now());
    },
  );

  app.patch(
    '/v1/jobs/:id',
    {
      config: { permission: 'enqueue' },
      schema: {
        operationId: 'amendJob',
        summary: 'Change a job that waits',
        tags: TAGS,
        params: jobParams,
        body: amendJobRequest,
        response: answers({ 200: jobSchema }, ...CHANGE_PROBLEMS),
      },
    },
    async (request, reply) => {
      const change = jobChangeOf(request, limits.contentBytes);
      await refuseBlindEdit(request, change, payloadOf(readJob, tenantOf(request), request.params.id));
      const done = accept(await useCases.amendJob(contextOf(request), request.params.id, change));
      return sendJob(reply, done, clock.now());
    },
  );
}
