import { jobStream } from '../domain/job/stream.ts';
import { ARRIVALS_KEPT_MS } from './claim-dispatcher.ts';
import type { DispatchDeps } from './dispatch-deps.ts';
import { type HeartbeatPath, stayedOpen } from './heartbeat-path.ts';
import { loadJobs } from './load-jobs.ts';
import { pause } from './pause.ts';
import { type Placement, placementOf } from './placement.ts';
import type { StoredLease } from './ready-queue.ts';
import { SweepWindow } from './sweep-window.ts';
import { systemMetadata } from './system-metadata.ts';
import { noLogger, noMetrics } from './telemetry.ts';

export interface ExpireLeasesDeps extends DispatchDeps {
  /** Told when jobs became ready again. */
  readonly wake: () => void;
  /** How often to look. Default 500 ms. */
  readonly everyMs?: number;
  /**
   * When the sweeper starts, or has not looked for this long (the machine slept, the clock leapt), workers may have been
   * unable to reach the service: every lease gets at least this long. 0 for none; default 10 s.
   */
  readonly graceMs?: number;
  /** Says when a sweeper that starts owes no grace, since only the one before was gone. Absent: it always does. */
  readonly heartbeatPath?: Pick<HeartbeatPath, 'looked' | 'steady'>;
}

const EVERY_MS = 500;
const GRACE_MS = 10_000;
const BATCH = 500;
/** A lease whose row was lost or overwritten: how long its worker has to be heard of. */
const UNHEARD_MS = 10_000;
const PRUNE_EVERY_MS = 15_000;
const WORKERS_KEPT_MS = 24 * 3_600_000;

/**
 * Background task: ends attempts whose worker was not heard of, and settles reservations whose JobStarted never came; forgets old arrivals and workers.
 * Rejects when the database or the log fails; start it again.
 */
export function expireLeases(deps: ExpireLeasesDeps): (signal: AbortSignal) => Promise<void> {
  // What made it fail may have kept heartbeats away as well.
  let failed = false;
  return async (signal) => {
    const path = failed ? undefined : deps.heartbeatPath;
    failed = true;
    await sweepUntil(signal, deps, path !== undefined && (await stayedOpen(path, signal)));
    failed = false;
  };
}

async function sweepUntil(signal: AbortSignal, deps: ExpireLeasesDeps, goesOn: boolean): Promise<void> {
  const { readyQueue, clock, everyMs = EVERY_MS, graceMs = GRACE_MS, heartbeatPath } = deps;
  const window = new SweepWindow();
  let lookedAt = goesOn ? clock.now() : Number.NEGATIVE_INFINITY;
  let prunedAt = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    const now = clock.now();
    if (graceMs > 0 && now - lookedAt > graceMs) await readyQueue.prolongAll(now + graceMs);
    lookedAt = now;
    await heartbeatPath?.looked();
    const expired = await readyQueue.expiredLeases(now, window.from(now), BATCH);
    await sweep(deps, expired, now);
    if (Math.abs(now - prunedAt) > PRUNE_EVERY_MS) {
      await readyQueue.pruneArrivals(now - ARRIVALS_KEPT_MS);
      await readyQueue.forgetWorkers(now - WORKERS_KEPT_MS);
      prunedAt = now;
    }
    if (expired.length === BATCH) continue;
    window.sweptUpTo(now);
    await pause(everyMs, signal);
  }
}

async function sweep(deps: ExpireLeasesDeps, expired: readonly StoredLease[], now: number): Promise<void> {
  if (expired.length === 0) return;
  const { readyQueue, wake, logger = noLogger } = deps;
  const jobs = await loadJobs(deps, expired);
  const toEnd: StoredLease[] = [];
  const toPlace: Placement[] = [];
  const withdrawn: StoredLease[] = [];
  expired.forEach((lease, index) => {
    const { state, revision } = jobs[index] ?? {};
    if (!state || revision === undefined) return;
    const held = state.status === 'running' ? state.lease : undefined;
    const runsUntil = held ? held.startedAt + held.leaseMs : 0;
    if (held && held.leaseId === lease.leaseId && runsUntil <= now) {
      toEnd.push(lease);
      return;
    }
    const placement = placementOf(lease, revision, state, now);
    const expiresAt = held?.leaseId === lease.leaseId ? runsUntil : Math.max(runsUntil, now + UNHEARD_MS);
    toPlace.push(placement.kind === 'running' ? { ...placement, expiresAt } : placement);
    withdrawn.push(lease);
  });
  await readyQueue.place(
    toPlace,
    now,
    withdrawn.map((lease) => ({ ...lease, expiresAt: now })),
  );
  const ready = toPlace.filter(({ kind }) => kind === 'ready').length;
  if (ready > 0) logger.warn({ jobs: ready }, 'claims that were never finished are offered again');
  if (ready > 0) wake();
  await end(deps, toEnd, now);
}

/** LeaseExpired, and what follows from it. */
async function end(deps: ExpireLeasesDeps, leases: readonly StoredLease[], at: number): Promise<void> {
  if (leases.length === 0) return;
  const { readyQueue, handler, clock, ids, logger = noLogger, metrics = noMetrics } = deps;
  const ending = await readyQueue.endLeases(leases, at);
  const causationId = ids.next();
  const handled = await handler.handle(
    ending.map(({ tenantId, jobId, leaseId }) => ({
      stream: jobStream(tenantId, jobId),
      command: { type: 'ExpireLease', leaseId, jitter: ids.random(), at },
      metadata: systemMetadata('lease-sweeper', tenantId, causationId, at),
    })),
  );
  const toPlace: Placement[] = [];
  handled.forEach((result, index) => {
    const lease = ending[index];
    if (!lease || result.kind === 'contended' || result.kind === 'unreadable') return;
    // Also when it was accepted: the log brings the same a little later, and a repeat is harmless.
    toPlace.push(placementOf(lease, result.revision, result.state, clock.now()));
  });
  await readyQueue.place(toPlace, clock.now());
  if (toPlace.some(({ kind }) => kind === 'ready')) deps.wake();
  metrics.count('leases_expired_total', toPlace.length);
  if (toPlace.length > 0) logger.warn({ attempts: toPlace.length }, 'leases ran out; their jobs go on');
}
