import { RESERVATION_MS } from './claim-dispatcher.ts';
import type { DispatchDeps } from './dispatch-deps.ts';
import type { LeaseAudit } from './lease-audit.ts';
import { loadJobs } from './load-jobs.ts';
import { pause } from './pause.ts';
import { type Placement, placementOf } from './placement.ts';
import type { StoredLease } from './ready-queue.ts';
import { noLogger, noMetrics } from './telemetry.ts';

export interface ReconcileLeasesDeps extends DispatchDeps {
  readonly audit: LeaseAudit;
  /** Told when jobs became ready again. */
  readonly wake: () => void;
  /** How often to look. Default 15 s: longer than read models are behind. */
  readonly everyMs?: number;
}

const EVERY_MS = 15_000;
const BATCH = 1_000;

/** When each suspicion first came up, by what it is about: not at this look, though the clock may have gone back since. */
type Suspicions = ReadonlyMap<string, number>;

/**
 * Background task: proves that slots are live leases, and leases attempts that run by the log. What is still suspicious
 * at a second look is put right by the stream of its job. An attempt without a lease gets one of its full length from the
 * first look on: if its worker lives, it goes on; if not, the sweeper ends it with LeaseExpired. Rejects when the
 * database or the log fails; start it again.
 */
export function reconcileLeases(deps: ReconcileLeasesDeps): (signal: AbortSignal) => Promise<void> {
  const { clock, everyMs = EVERY_MS } = deps;
  return async (signal) => {
    let attempts: Suspicions = new Map();
    let leases: Suspicions = new Map();
    while (!signal.aborted) {
      const now = clock.now();
      // First: what is repaired next changes right counts, not wrong ones.
      await recount(deps, now);
      attempts = await leaseAttempts(deps, attempts, now);
      leases = await endLeases(deps, leases, now);
      await pause(everyMs, signal);
    }
  };
}

async function recount(deps: ReconcileLeasesDeps, now: number): Promise<void> {
  const { audit, wake, logger = noLogger, metrics = noMetrics } = deps;
  const wrong = await audit.recount(now, BATCH);
  metrics.count('leases_reconciled_total', wrong, { kind: 'count' });
  if (wrong === 0) return;
  logger.error({ counts: wrong }, 'slots of limited tenants or queues were counted wrongly; counted anew');
  wake();
}

/** Gives attempts a lease that run without one; answers the suspicions of now. */
async function leaseAttempts(
  deps: ReconcileLeasesDeps,
  before: Suspicions,
  now: number,
): Promise<Suspicions> {
  const { audit, readyQueue, logger = noLogger, metrics = noMetrics } = deps;
  const shown = await audit.withoutLease(BATCH);
  const suspicions = new Map<string, number>();
  for (const attempt of shown) {
    const key = `${attempt.tenantId}.${attempt.jobId}.${attempt.startRevision}`;
    suspicions.set(key, before.get(key) ?? now);
  }
  const since = [...suspicions.values()];
  const confirmed = shown
    .map((attempt, index) => ({ ...attempt, since: since[index] ?? now }))
    .filter((attempt) => attempt.since !== now);
  const jobs = await loadJobs(deps, confirmed);
  const placements: Placement[] = [];
  confirmed.forEach((attempt, index) => {
    const { state, revision } = jobs[index] ?? {};
    if (state?.status !== 'running' || !state.lease || revision === undefined) return;
    const { startedAt, leaseMs } = state.lease;
    const placement = placementOf(attempt, revision, state, now);
    if (placement.kind !== 'running') return;
    placements.push({ ...placement, expiresAt: Math.max(startedAt, attempt.since) + leaseMs });
  });
  await readyQueue.place(placements, now);
  metrics.count('leases_reconciled_total', placements.length, { kind: 'missing' });
  if (placements.length > 0) logger.warn({ attempts: placements.length }, 'attempts had lost their leases');
  return suspicions;
}

/**
 * Ends leases that no attempt holds; answers the suspicions of now. One that runs out soon may belong to a claim that is
 * not in the log yet; the sweeper looks after it.
 */
async function endLeases(deps: ReconcileLeasesDeps, before: Suspicions, now: number): Promise<Suspicions> {
  const { audit, readyQueue, wake, logger = noLogger, metrics = noMetrics } = deps;
  const stored = await audit.withoutAttempt(now + RESERVATION_MS, BATCH);
  const suspicions = new Map<string, number>();
  for (const lease of stored) suspicions.set(keyOf(lease), before.get(keyOf(lease)) ?? now);
  const confirmed = stored.filter((lease) => (before.get(keyOf(lease)) ?? now) !== now);
  const jobs = await loadJobs(deps, confirmed);
  const placements: Placement[] = [];
  const withdrawn: StoredLease[] = [];
  confirmed.forEach((lease, index) => {
    const { state, revision } = jobs[index] ?? {};
    if (!state || revision === undefined) return;
    if (state.status === 'running' && state.lease?.leaseId === lease.leaseId) return;
    placements.push(placementOf(lease, revision, state, now));
    withdrawn.push(lease);
  });
  if (withdrawn.length === 0) return suspicions;
  await readyQueue.place(placements, now, withdrawn);
  metrics.count('leases_reconciled_total', withdrawn.length, { kind: 'orphan' });
  logger.warn({ leases: withdrawn.length }, 'leases belonged to no attempt; their jobs are placed anew');
  if (placements.some(({ kind }) => kind === 'ready')) wake();
  return suspicions;
}

const keyOf = ({ tenantId, jobId, leaseId }: StoredLease): string => `${tenantId}.${jobId}.${leaseId}`;
