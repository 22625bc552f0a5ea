import { unreachable } from '../domain/decider.ts';
import type { ExistingJob, Job } from '../domain/job/state.ts';
import { type JobAddress, jobStream } from '../domain/job/stream.ts';

/** Jobs of one tenant, queue, type and priority wait in one line. */
export interface Lane {
  readonly tenantId: string;
  readonly queue: string;
  readonly type: string;
  readonly priority: number;
}

interface Place extends JobAddress {
  /** Of the event that the placement follows from; an older one never undoes a newer one. */
  readonly revision: number;
  /** undefined: not known, so a deadline set before stands; null: it has none. */
  readonly deadlineAt?: number | null | undefined;
  /** Placed for the first time: there is nothing to clear away. */
  readonly isNew?: boolean;
}

/** Where a job belongs in the dispatch tables. Times in milliseconds since 1970. */
export type Placement =
  /** May be claimed. The snapshot is its state as JSON; without one the claim reads the stream. */
  | (Place & Lane & { readonly kind: 'ready'; readonly snapshot?: string | undefined })
  | (Place &
      Lane & { readonly kind: 'waiting'; readonly runAt: number; readonly snapshot?: string | undefined })
  | (Place & {
      readonly kind: 'running';
      readonly queue: string;
      readonly workerId: string;
      readonly leaseId: string;
      readonly expiresAt: number;
      readonly timeoutAt?: number | undefined;
      readonly forceCancelAt?: number | undefined;
      /** False: more has to be read from the stream before a heartbeat may extend it. */
      readonly settled: boolean;
    })
  /** Runs, and was asked to stop; the rest is as it was. */
  | (Place & { readonly kind: 'cancelling'; readonly forceCancelAt: number })
  /** Waits for nothing but its deadline, which has passed. */
  | (Place & { readonly kind: 'overdue'; readonly deadlineAt: number })
  /** The attempt is over; the next event says how it goes on. */
  | (Place & { readonly kind: 'between' })
  /** To be placed by what its stream says. */
  | (Place & { readonly kind: 'unknown' })
  | (Place & { readonly kind: 'gone' });

/** Payloads above this stay in the log: copying them into the ready queue costs more than reading the stream. */
const MAX_SNAPSHOT = 64 * 1024;

/** A job's place by its state after a revision. A lease of a running job that has none yet lasts its full time from now. */
export function placementOf(address: JobAddress, revision: number, job: Job, now: number): Placement {
  const { tenantId, jobId } = address;
  const place = { tenantId, jobId, revision };
  switch (job.status) {
    case 'none':
    case 'voided':
    case 'completed':
    case 'cancelled':
    case 'dead_lettered':
    case 'purged':
      return { ...place, kind: 'gone' };
    case 'running':
      return running(place, job, now);
    case 'scheduled':
    case 'queued':
    case 'retrying':
      return waiting(place, job, now);
    default:
      return unreachable(job);
  }
}

function running(
  place: JobAddress & { readonly revision: number },
  job: ExistingJob,
  now: number,
): Placement {
  const { lease, queue, timeoutMs, cancelRequest, deadlineAt = null } = job;
  if (!lease) return { ...place, kind: 'unknown' };
  const { workerId, leaseId, leaseMs, startedAt } = lease;
  return {
    ...place,
    kind: 'running',
    queue,
    workerId,
    leaseId,
    expiresAt: now + leaseMs,
    timeoutAt: timeoutMs === undefined ? undefined : startedAt + timeoutMs,
    forceCancelAt: cancelRequest?.forceAt,
    deadlineAt,
    settled: true,
  };
}

function waiting(
  place: JobAddress & { readonly revision: number },
  job: ExistingJob,
  now: number,
): Placement {
  const { deadlineAt = null, queue, type, priority, runAt } = job;
  if (deadlineAt !== null && deadlineAt <= now) return { ...place, kind: 'overdue', deadlineAt };
  const snapshot = job.payload.length <= MAX_SNAPSHOT ? JSON.stringify(job) : undefined;
  const lane = { ...place, queue, type, priority, deadlineAt, snapshot };
  return runAt <= now ? { ...lane, kind: 'ready' } : { ...lane, kind: 'waiting', runAt };
}

/** The state that a snapshot holds. */
export const stateOf = (snapshot: string): ExistingJob => JSON.parse(snapshot);

/** The newest placement of each job: a job has one place. */
export function onePerJob(placements: readonly Placement[]): readonly Placement[] {
  const newest = new Map<string, Placement>();
  for (const placement of placements) {
    const stream = jobStream(placement.tenantId, placement.jobId);
    const other = newest.get(stream);
    if (!other || other.revision <= placement.revision) newest.set(stream, placement);
  }
  return [...newest.values()];
}
