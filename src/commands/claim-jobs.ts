import { jobStream } from '../domain/job/stream.ts';
import type { CallContext } from './call-context.ts';
import type { ClaimDispatcher, Reservation } from './claim-dispatcher.ts';
import type { DispatchDeps } from './dispatch-deps.ts';
import type { HandledJob } from './job-handler.ts';
import { formatLeaseToken } from './lease-token.ts';
import { metadataByTenant } from './metadata-for.ts';
import { placementOf, stateOf } from './placement.ts';
import { LogOverloadedError } from './ports.ts';
import { noLogger, noMetrics } from './telemetry.ts';
import type { Claim, ClaimRequest, UseCases } from './use-cases.ts';
import type { WorkerWatch } from './worker-watch.ts';

export interface ClaimJobsDeps extends Omit<DispatchDeps, 'log'> {
  readonly dispatcher: ClaimDispatcher;
  readonly workers: WorkerWatch;
}

type Caller = Omit<CallContext, 'tenantId'>;

/**
 * Claims jobs: the ready queue proposes, the append of JobStarted decides. What loses the race goes back to where its
 * stream says; a worker told to be quiet, and a client that is gone, get nothing.
 */
export function createClaimJobs(deps: ClaimJobsDeps): UseCases['claimJobs'] {
  const { dispatcher, workers, clock, metrics = noMetrics } = deps;

  return async (context, request, { signal } = {}) => {
    const directive = await workers.saw(request.tenants, request.workerId);
    if (directive !== 'run') return [];
    const reservations = await dispatcher.reserve(request, signal);
    if (reservations.length === 0) return [];
    if (signal?.aborted) {
      await dispatcher.giveBack(reservations);
      return [];
    }
    const started = await start(deps, context, request, reservations);
    if (signal?.aborted) {
      await releaseUnseen(deps, context, started);
      return [];
    }
    metrics.count('claimed_jobs_total', started.length);
    return started.map(({ reservation, handled }) => toClaim(reservation, handled, request, clock.now()));
  };
}

interface Started {
  readonly reservation: Reservation;
  readonly handled: Extract<HandledJob, { kind: 'accepted' }>;
}

async function start(
  deps: ClaimJobsDeps,
  context: Caller,
  request: ClaimRequest,
  reservations: readonly Reservation[],
): Promise<readonly Started[]> {
  const { handler, dispatcher, running, clock, ids } = deps;
  const at = clock.now();
  const metadataOf = metadataByTenant(context, at, ids.next());
  let results: readonly HandledJob[];
  try {
    results = await handler.handle(
      reservations.map(({ tenantId, jobId, revision, snapshot, leaseId }) => ({
        stream: jobStream(tenantId, jobId),
        command: { type: 'StartJob', workerId: request.workerId, leaseId, leaseMs: request.leaseMs, at },
        metadata: metadataOf(tenantId),
        assume: snapshot === undefined ? undefined : { state: stateOf(snapshot), revision },
      })),
    );
  } catch (error) {
    // What was turned away was not written. After anything else an attempt may be in the log, or get there yet, and is one
    // of those that its tenant's limit counts: its slot stays taken until the reservation runs out and the stream is asked.
    if (error instanceof LogOverloadedError) await dispatcher.giveBack(reservations);
    throw error;
  }
  const started: Started[] = [];
  const lost: { readonly reservation: Reservation; readonly handled: HandledJob }[] = [];
  results.forEach((handled, index) => {
    const reservation = reservations[index];
    if (!reservation) return;
    if (handled.kind !== 'accepted') {
      lost.push({ reservation, handled });
      return;
    }
    started.push({ reservation, handled });
    running.put(jobStream(reservation.tenantId, reservation.jobId), handled);
  });
  await settle(deps, started, lost, at);
  return started;
}

/** Arms the timeouts of attempts that have one, and puts what was not won where it belongs. */
async function settle(
  { readyQueue, logger = noLogger, metrics = noMetrics }: ClaimJobsDeps,
  started: readonly Started[],
  lost: readonly { readonly reservation: Reservation; readonly handled: HandledJob }[],
  now: number,
): Promise<void> {
  const timed = started.filter(({ handled }) => 'timeoutMs' in handled.state && handled.state.timeoutMs);
  const placements = timed.map(({ reservation, handled }) =>
    placementOf(reservation, handled.revision, handled.state, now),
  );
  for (const { reservation, handled } of lost) {
    if (handled.kind === 'contended' || handled.kind === 'unreadable')
      placements.push({ ...reservation, kind: 'unknown' });
    else placements.push(placementOf(reservation, handled.revision, handled.state, now));
  }
  if (placements.length === 0) return;
  metrics.count('claims_lost_total', lost.length);
  if (lost.length > 0) logger.debug({ jobs: lost.length }, 'claims lost the race for their jobs');
  const withdrawn = lost.map(({ reservation }) => ({ ...reservation, expiresAt: Number.MAX_SAFE_INTEGER }));
  await readyQueue.place(placements, now, withdrawn);
}

/** The worker will never know of these attempts. */
async function releaseUnseen(
  { handler, running, clock, ids }: ClaimJobsDeps,
  context: Caller,
  started: readonly Started[],
): Promise<void> {
  const at = clock.now();
  const metadataOf = metadataByTenant(context, at, ids.next());
  await handler.handle(
    started.map(({ reservation: { tenantId, jobId, leaseId }, handled: { state, revision } }) => ({
      stream: jobStream(tenantId, jobId),
      command: {
        type: 'ReleaseJob',
        leaseId,
        reason: 'the client was gone before the claim was answered',
        at,
      },
      metadata: metadataOf(tenantId),
      assume: { state, revision },
    })),
  );
  for (const { reservation } of started) running.forget(jobStream(reservation.tenantId, reservation.jobId));
}

function toClaim(
  { tenantId, jobId, leaseId }: Reservation,
  { state, revision }: Started['handled'],
  { leaseMs }: ClaimRequest,
  now: number,
): Claim {
  if (state.status === 'none' || state.status === 'voided') throw new Error(`${jobId} started but is no job`);
  return {
    snapshot: { tenantId, jobId, revision, job: state },
    leaseToken: formatLeaseToken({ tenantId, jobId, startRevision: revision, leaseId }),
    leaseExpiresAt: (state.lease?.startedAt ?? now) + leaseMs,
  };
}
