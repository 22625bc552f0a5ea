import { jobStream } from '../domain/job/stream.ts';
import { createJobHandler, snapshotOf } from './job-handler.ts';
import { isJobId } from './job-id.ts';
import type { EventLog, StoredEvent } from './ports.ts';
import type { JobSnapshot } from './use-cases.ts';

/** A moment in a job's history: just after an event, or at a time in milliseconds since 1970; neither is now. */
export interface Moment {
  readonly revision?: number | undefined;
  readonly asOf?: number | undefined;
}

export type ReadJob = (tenantId: string, jobId: string, at?: Moment) => Promise<JobSnapshot | undefined>;

/**
 * A job as the log has it: now, or as it stood at a moment. undefined when there is no such job, event or past. Time is
 * when events occurred, the time that they show, so that the time of an event gives the job just after it. A purged job
 * is still there, with status `purged`.
 */
export function createReadJob({ log }: { readonly log: EventLog }): ReadJob {
  const handler = createJobHandler(log);

  return async (tenantId, jobId, at = {}) => {
    if (!isJobId(jobId)) return undefined;
    const stream = jobStream(tenantId, jobId);
    const streams = await log.readStreams([stream]);
    const events = upTo(streams.get(stream) ?? [], at);
    return events && snapshotOf(tenantId, jobId, handler.fold(events));
  };
}

function upTo(
  events: readonly StoredEvent[],
  { revision, asOf = Number.POSITIVE_INFINITY }: Moment,
): readonly StoredEvent[] | undefined {
  if (revision !== undefined) {
    const index = events.findIndex((event) => event.revision === revision);
    return index < 0 ? undefined : events.slice(0, index + 1);
  }
  // Clocks of processes differ a little. A history has no gaps: what follows a later event is later, too.
  const later = events.findIndex(({ metadata }) => metadata.occurredAt > asOf);
  return later < 0 ? events : events.slice(0, later);
}
