import type { DecodedEvent } from '../commands/decoded-event.ts';
import { unreachable } from '../domain/decider.ts';
import type { JobError, JobEvent } from '../domain/job/events.ts';
import { LEASE_EXPIRED } from '../domain/job/service-errors.ts';
import type { JobStatus } from '../domain/job/state.ts';

/**
 * What a batch of events does to a job's row: only assignments, never differences, so that it can be laid over any
 * revision of the row that some of its events have reached already. Absent fields stay as they are.
 */
export interface JobChange {
  readonly tenantId: string;
  readonly jobId: string;
  /** The batch holds its JobEnqueued: every field is known. */
  readonly isNew: boolean;
  revision: number;
  updatedAt: number;
  /** `moved`: waits for its new time, still `retrying` if it was and `scheduled` otherwise. */
  status?: JobStatus | 'moved';
  /** Goes with the status: absent for jobs that are not finished. */
  finishedAt?: number | undefined;
  type?: string;
  queue?: string;
  priority?: number;
  attempt?: number;
  spentAttempts?: number;
  maxAttempts?: number;
  tags?: readonly string[];
  dedupeKey?: string | undefined;
  enqueuedAt?: number;
  runAt?: number;
  /** Of the current attempt, else of the last one. */
  workerId?: string;
  startedAt?: number;
  startRevision?: number;
  lastError?: JobError;
}

type JobLogEntry = Extract<DecodedEvent, { readonly aggregate: 'job' }>;

/** Job ids are UUIDs. One that is not can't come from this service, and must not stop everybody's read models. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export const isJobEntry = (entry: DecodedEvent): entry is JobLogEntry =>
  entry.aggregate === 'job' && UUID.test(entry.jobId);

/** Folds a batch into one change for each of its jobs, in the order in which they first appear. */
export function foldJobChanges(events: readonly DecodedEvent[]): readonly JobChange[] {
  const changes = new Map<string, JobChange>();
  for (const entry of events) {
    if (!isJobEntry(entry) || entry.event.type === 'JobVoided') continue;
    const { stream, tenantId, jobId, revision, event } = entry;
    const at = entry.metadata.occurredAt;
    let change = changes.get(stream);
    if (change === undefined) {
      change = { tenantId, jobId, isNew: event.type === 'JobEnqueued', revision, updatedAt: at };
      changes.set(stream, change);
    } else if (revision <= change.revision) continue;
    change.revision = revision;
    change.updatedAt = at;
    assign(change, event, at);
  }
  return [...changes.values()];
}

/** In step with `evolve`: a test compares the two over random lives of jobs. */
function assign(change: JobChange, event: JobEvent, at: number): void {
  switch (event.type) {
    case 'JobEnqueued': {
      const { data } = event;
      const runAt = data.runAt ?? at;
      become(change, runAt > at ? 'scheduled' : 'queued');
      change.type = data.type;
      change.queue = data.queue;
      change.priority = data.priority;
      change.maxAttempts = data.maxAttempts;
      change.tags = data.tags;
      change.dedupeKey = data.dedupeKey;
      change.enqueuedAt = at;
      change.runAt = runAt;
      change.attempt = 1;
      change.spentAttempts = 0;
      return;
    }
    case 'JobStarted':
      become(change, 'running');
      change.attempt = event.data.attempt;
      change.workerId = event.data.workerId;
      change.startedAt = at;
      change.startRevision = change.revision;
      return;
    case 'JobCompleted':
      become(change, 'completed', at);
      return;
    case 'JobFailed':
      // Without a retry, the next event of the same append says how it ends.
      become(change, 'retrying');
      change.spentAttempts = event.data.attempt;
      change.lastError = event.data.error;
      return;
    case 'LeaseExpired':
      become(change, 'retrying');
      change.spentAttempts = event.data.attempt;
      change.lastError = LEASE_EXPIRED;
      return;
    case 'JobReleased':
      wait(change, event.data.runAt ?? at, at, 'scheduled');
      return;
    case 'JobRetried':
      wait(change, event.data.runAt, at, 'retrying');
      change.attempt = event.data.attempt;
      change.spentAttempts = event.data.spentAttempts;
      return;
    case 'DeadLetterReplayed':
      wait(change, event.data.runAt ?? at, at, 'scheduled');
      change.queue = event.data.queue;
      change.attempt = 1;
      change.spentAttempts = 0;
      return;
    case 'JobCancelled':
      become(change, 'cancelled', at);
      return;
    case 'JobDeadLettered':
      become(change, 'dead_lettered', at);
      change.lastError = event.data.error;
      return;
    case 'DeadLetterPurged':
      become(change, 'purged', at);
      return;
    case 'JobAmended': {
      const { priority, runAt, tags } = event.data;
      if (priority !== undefined) change.priority = priority;
      if (tags !== undefined) change.tags = tags;
      if (runAt !== undefined) move(change, runAt, at);
      return;
    }
    case 'JobCancelRequested':
    case 'JobVoided':
      return;
    default:
      unreachable(event);
  }
}

function become(change: JobChange, status: JobStatus | 'moved', finishedAt?: number): void {
  change.status = status;
  change.finishedAt = finishedAt;
}

function wait(change: JobChange, runAt: number, at: number, ahead: JobStatus): void {
  become(change, runAt > at ? ahead : 'queued');
  change.runAt = runAt;
}

/** The event is only written when the time differs, so a time ahead always means waiting for it. */
function move(change: JobChange, runAt: number, at: number): void {
  change.runAt = runAt;
  if (runAt <= at) become(change, 'queued');
  else if (change.status === undefined) become(change, 'moved');
  else if (change.status === 'queued') become(change, 'scheduled');
}
