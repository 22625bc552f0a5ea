import type { FastifyReply } from 'fastify';
import type { EnqueueResult, JobSnapshot, Refused } from '../../../commands/use-cases.ts';
import { statusAt } from '../../../domain/job/status-at.ts';
import { snapshotAsSeen } from '../as-seen.ts';
import { contextOf, tenantOf } from '../caller.ts';
import {
  type EnqueueJobsResponse,
  enqueueJobRequest,
  enqueueJobResponse,
  enqueueJobsRequest,
  enqueueJobsResponse,
} from '../contract/jobs.ts';
import { toEnqueueRequest } from '../enqueue-request.ts';
import { jobToJson } from '../job-json.ts';
import { accept, refusal, refusalBody } from '../problems.ts';
import { setRateLimit } from '../rate-limit-headers.ts';
import { setPosition, setRevision } from '../revision-headers.ts';
import { sendJson } from '../send-json.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';

const TAGS = ['jobs'];

export function enqueueRoutes(app: App, parts: ServerParts): void {
  const { useCases, clock, limits } = parts;

  app.post(
    '/v1/jobs',
    {
      config: { permission: 'enqueue', idempotent: 'repeatable' },
      schema: {
        operationId: 'enqueueJob',
        summary: 'Enqueue a job',
        tags: TAGS,
        body: enqueueJobRequest,
        response: answers({ 200: enqueueJobResponse, 201: enqueueJobResponse }, ...WRITE_PROBLEMS),
      },
    },
    async (request, reply) => {
      const job = toEnqueueRequest(request, request.body, limits.contentBytes);
      const [result] = await useCases.enqueueJobs(contextOf(request), [job], {
        commandId: request.execution?.seed,
      });
      if (!result) throw new Error('no result for the job');
      await setRateLimit(reply, parts, tenantOf(request));
      request.isForNow = isRefusedForNow(result);
      const done = accept(result);
      const created = done.kind === 'created';
      setRevision(reply, done.snapshot.revision, created ? done.position : undefined);
      if (created) reply.header('location', `/v1/jobs/${done.snapshot.jobId}`);
      const seen = snapshotAsSeen(done.snapshot, request.redaction);
      const json = jobToJson(seen, clock.now(), { deduplicated: !created });
      return sendJson(reply, created ? 201 : 200, json);
    },
  );

  app.post(
    '/v1/jobs/bulk',
    {
      bodyLimit: limits.batchBytes,
      config: { permission: 'enqueue', idempotent: 'repeatable' },
      schema: {
        operationId: 'enqueueJobs',
        summary: 'Enqueue up to 1,000 jobs',
        description: 'Every job has its own outcome; with `atomic` all are created (201) or none is.',
        tags: TAGS,
        body: enqueueJobsRequest,
        response: answers(
          { 200: enqueueJobsResponse, 201: enqueueJobsResponse },
          ...WRITE_PROBLEMS,
          'batch-above-limit',
        ),
      },
    },
    async (request, reply) => {
      const { jobs, atomic = false } = request.body;
      const requests = jobs.map((job, index) =>
        toEnqueueRequest(request, job, limits.contentBytes, `/jobs/${index}`),
      );
      const results = await useCases.enqueueJobs(contextOf(request), requests, {
        atomic,
        commandId: request.execution?.seed,
      });
      await setRateLimit(reply, parts, tenantOf(request));
      request.isForNow = results.some(isRefusedForNow);
      if (atomic) refuseWhole(results);
      return sendResults(reply, results, clock.now(), atomic);
    },
  );
}

const WRITE_PROBLEMS = [
  'malformed-json',
  'tenant-required',
  'idempotency-in-progress',
  'payload-too-large',
  'unsupported-media-type',
  'idempotency-key-reused',
  'run-at-out-of-range',
  'tenant-paused',
  'quota-exceeded',
  'log-overloaded',
  'log-unavailable',
] as const;

/** Limits change, and so does what is used of them. */
const isRefusedForNow = (result: EnqueueResult): boolean =>
  result.kind === 'refused' && (result.quota !== undefined || result.reason === 'tenant_suspended');

/** All or none: the first refusal names the problem, and every item that is to blame is pointed at. */
function refuseWhole(results: readonly EnqueueResult[]): void {
  const errors: { pointer: string; detail: string }[] = [];
  let first: Refused | undefined;
  results.forEach((result, index) => {
    if (result.kind !== 'refused' || result.reason === 'batch_refused') return;
    first ??= result;
    errors.push({ pointer: `/jobs/${index}`, detail: result.reason });
  });
  if (first) throw refusal(first, { errors: errors.slice(0, 50) });
}

function sendResults(
  reply: FastifyReply,
  results: readonly EnqueueResult[],
  now: number,
  atomic: boolean,
): FastifyReply {
  const counts = { created: 0, deduplicated: 0, rejected: 0 };
  let newest: bigint | undefined;
  const items = results.map((result): EnqueueJobsResponse['results'][number] => {
    if (result.kind === 'refused') {
      counts.rejected += 1;
      return { status: 'rejected', problem: refusalBody(result) };
    }
    counts[result.kind] += 1;
    if (result.kind === 'created' && (newest === undefined || result.position > newest))
      newest = result.position;
    return { status: result.kind, job: reference(result.snapshot, now) };
  });
  const body: EnqueueJobsResponse = { results: items, counts };
  return sendJson(setPosition(reply, newest), atomic ? 201 : 200, JSON.stringify(body));
}

const reference = ({ jobId, revision, job }: JobSnapshot, now: number) => ({
  id: jobId,
  revision,
  status: statusAt(job, now),
});
