import type { FastifyRequest } from 'fastify';
import type { DecodedEvent } from '../../commands/decoded-event.ts';
import type { ReadJob } from '../../commands/read-job.ts';
import type { JobSnapshot } from '../../commands/use-cases.ts';
import type { JobError } from '../../domain/job/events.ts';
import type { JsonText } from '../../domain/json-text.ts';
import { HttpProblem } from './problems.ts';
import type { Redaction } from './redaction.ts';

/** A job as the caller may see it. Workers that claim it always see it whole. */
export function snapshotAsSeen(snapshot: JobSnapshot, redaction: Redaction | null): JobSnapshot {
  if (!redaction) return snapshot;
  const { payload, result, lastError } = snapshot.job;
  const job = {
    ...snapshot.job,
    payload: redaction.content(payload),
    ...(result !== undefined && { result: redaction.content(result) }),
    ...(lastError && { lastError: redaction.error(lastError) }),
  };
  return { ...snapshot, job };
}

export const errorAsSeen = <Words extends { readonly message: string } | null>(
  error: Words,
  redaction: Redaction | null,
): Words => (error && redaction ? redaction.error(error) : error);

interface Telling {
  readonly payload?: JsonText | undefined;
  readonly result?: JsonText | undefined;
  readonly error?: JobError | undefined;
}

/** An event as the caller may see it, before it is put into words. */
export function eventAsSeen(decoded: DecodedEvent, redaction: Redaction | null): DecodedEvent {
  if (!redaction || decoded.aggregate !== 'job') return decoded;
  const { payload, result, error } = decoded.event.data as Telling;
  const data = {
    ...decoded.event.data,
    ...(payload !== undefined && { payload: redaction.content(payload) }),
    ...(result !== undefined && { result: redaction.content(result) }),
    ...(error && { error: redaction.error(error) }),
  };
  return { ...decoded, event: { ...decoded.event, data } as typeof decoded.event };
}

/**
 * Whoever sees a payload with parts hidden would write `[redacted]` over what is there: such a change is refused. Comes
 * before every change of a job that may bring a payload.
 */
export async function refuseBlindEdit(
  request: FastifyRequest,
  { payload }: { readonly payload?: JsonText | undefined },
  readPayload: () => Promise<JsonText | undefined>,
): Promise<void> {
  const { redaction } = request;
  if (!redaction || payload === undefined) return;
  const current = await readPayload();
  if (current !== undefined && redaction.content(current) !== current)
    throw new HttpProblem('payload-redacted');
}

export const payloadOf =
  (readJob: ReadJob, tenantId: string, jobId: string) => async (): Promise<JsonText | undefined> =>
    (await readJob(tenantId, jobId, {}))?.job.payload;
