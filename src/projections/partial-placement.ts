import type { DecodedEvent } from '../commands/decoded-event.ts';
import type { Placement } from '../commands/placement.ts';
import { unreachable } from '../domain/decider.ts';

type JobDecoded = Extract<DecodedEvent, { aggregate: 'job' }>;

/**
 * Where a job belongs by some of its events alone, in their order: after a restart the state before them is not known,
 * and most events say enough. The others ask for a look at the stream.
 */
export function partialPlacement(events: readonly JobDecoded[], now: number): Placement {
  const first = events[0];
  if (!first) throw new Error('no events to place a job by');
  let placement: Placement = { ...placeOf(first), kind: 'unknown' };
  for (const event of events) placement = next(placement, event, now);
  return placement;
}

function next(before: Placement, decoded: JobDecoded, now: number): Placement {
  const { event } = decoded;
  const place = placeOf(decoded);
  switch (event.type) {
    case 'JobStarted': {
      const { queue, workerId, leaseId, leaseMs } = event.data;
      return {
        ...place,
        kind: 'running',
        queue,
        workerId,
        leaseId,
        expiresAt: now + leaseMs,
        settled: false,
      };
    }
    case 'JobCancelRequested': {
      const { forceAt } = event.data;
      if (before.kind === 'running') return { ...before, ...place, forceCancelAt: forceAt };
      return { ...place, kind: 'cancelling', forceCancelAt: forceAt };
    }
    case 'JobRetried': {
      const { by, runAt, queue, type, priority } = event.data;
      // Who retries by hand may have brought a job back whose timers are gone.
      if (by === 'person') return { ...place, kind: 'unknown' };
      const lane = { ...place, queue, type, priority };
      return runAt <= now ? { ...lane, kind: 'ready' } : { ...lane, kind: 'waiting', runAt };
    }
    case 'JobFailed':
    case 'LeaseExpired':
      return { ...place, kind: 'between' };
    case 'JobEnqueued':
    case 'JobReleased':
    case 'JobAmended':
    case 'DeadLetterReplayed':
      return { ...place, kind: 'unknown' };
    case 'JobCompleted':
    case 'JobCancelled':
    case 'JobDeadLettered':
    case 'DeadLetterPurged':
    case 'JobVoided':
      return { ...place, kind: 'gone' };
    default:
      return unreachable(event);
  }
}

const placeOf = ({ tenantId, jobId, revision }: JobDecoded) => ({ tenantId, jobId, revision });
