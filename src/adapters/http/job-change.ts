import type { FastifyReply, FastifyRequest } from 'fastify';
import type { JobChanged } from '../../commands/use-cases.ts';
import { snapshotAsSeen } from './as-seen.ts';
import { contentAt } from './body-content.ts';
import { jobToJson } from './job-json.ts';
import { expectedRevision, setRevision } from './revision-headers.ts';
import { parseOptionalTime } from './rfc3339.ts';
import { sendJson } from './send-json.ts';

/** What a body and its If-Match want of a job; 413 when the payload is too large. */
export function jobChangeOf<Body extends { readonly payload?: unknown; readonly runAt?: string | undefined }>(
  request: FastifyRequest & { readonly body: Body },
  mostBytes: number,
) {
  const { payload, runAt, ...rest } = request.body;
  return {
    ...rest,
    runAt: parseOptionalTime(runAt),
    payload: contentAt(request, '/payload', payload, mostBytes),
    expectedRevision: expectedRevision(request),
  };
}

/** Answers with the job as the change left it. */
export function sendJob(
  reply: FastifyReply,
  { snapshot, position }: JobChanged,
  now: number,
  status = 200,
): FastifyReply {
  setRevision(reply, snapshot.revision, position);
  const seen = snapshotAsSeen(snapshot, reply.request.redaction);
  return sendJson(reply, status, jobToJson(seen, now));
}
