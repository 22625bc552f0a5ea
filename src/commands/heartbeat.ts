import type { DispatchDeps } from './dispatch-deps.ts';
import { type LeaseToken, parseLeaseToken } from './lease-token.ts';
import { loadJobs } from './load-jobs.ts';
import { onePerJob, type Placement, placementOf } from './placement.ts';
import type { HeartbeatResult, UseCases } from './use-cases.ts';
import type { WorkerWatch } from './worker-watch.ts';

export interface HeartbeatDeps
  extends Pick<DispatchDeps, 'log' | 'handler' | 'readyQueue' | 'clock' | 'logger'> {
  readonly workers: WorkerWatch;
}

type LeaseStatus = HeartbeatResult['leases'][number]['status'];

/**
 * Extends leases and tells the worker what to do. Only the stream can say that a lease is lost: a row may be missing
 * because the tables were emptied, and then it is put back.
 */
export function createHeartbeat(deps: HeartbeatDeps): UseCases['heartbeat'] {
  const { clock, workers } = deps;

  return async (_context, request) => {
    const tokens = request.leases.map(({ leaseToken }) => heldToken(leaseToken, request.tenants));
    const held = tokens.filter((token) => token !== undefined);
    const scopes = request.tenants ?? held.map(({ tenantId }) => tenantId);
    const until = clock.now() + request.leaseMs;
    const [directive, statuses] = await Promise.all([
      workers.saw(scopes, request.workerId),
      held.length === 0 ? new Map<LeaseToken, LeaseStatus>() : extend(deps, held, until),
    ]);
    return {
      directive,
      leases: request.leases.map(({ leaseToken }, index) => {
        const token = tokens[index];
        const status = (token && statuses.get(token)) ?? 'lost';
        const leaseExpiresAt = status === 'lost' ? undefined : until;
        return { leaseToken, jobId: token?.jobId ?? '', status, leaseExpiresAt };
      }),
    };
  };
}

/** A status for each lease that is still held. */
async function extend(
  deps: HeartbeatDeps,
  held: readonly LeaseToken[],
  until: number,
): Promise<ReadonlyMap<LeaseToken, LeaseStatus>> {
  const { readyQueue, clock } = deps;
  const statuses = new Map<LeaseToken, LeaseStatus>();
  const outcomes = await readyQueue.extendLeases(held, until);
  const unclear: LeaseToken[] = [];
  held.forEach((token, index) => {
    const outcome = outcomes[index];
    if (outcome === undefined) unclear.push(token);
    else statuses.set(token, outcome === 'ending' ? 'lost' : outcome);
  });
  if (unclear.length === 0) return statuses;
  const now = clock.now();
  const running: LeaseToken[] = [];
  const placements: Placement[] = [];
  for (const [index, known] of (await loadJobs(deps, unclear)).entries()) {
    const token = unclear[index];
    if (!token || !known) continue;
    const { state, revision } = known;
    if (state.status !== 'running' || state.lease?.leaseId !== token.leaseId) continue;
    statuses.set(token, state.cancelRequest ? 'cancel_requested' : 'extended');
    running.push(token);
    placements.push(placementOf(token, revision, state, now));
  }
  if (running.length === 0) return statuses;
  await readyQueue.place(onePerJob(placements), now);
  await readyQueue.extendLeases(running, until);
  return statuses;
}

function heldToken(text: string, tenants: readonly string[] | '*' | undefined): LeaseToken | undefined {
  const token = parseLeaseToken(text);
  if (!token || tenants === undefined || tenants === '*') return token;
  return tenants.includes(token.tenantId) ? token : undefined;
}
