import { unreachable } from '../domain/decider.ts';
import type { JobCommand } from '../domain/job/commands.ts';
import { errorFingerprint } from '../domain/job/fingerprint.ts';
import { jobStream } from '../domain/job/stream.ts';
import type { DispatchDeps } from './dispatch-deps.ts';
import type { HandledJob } from './job-handler.ts';
import { type LeaseToken, parseLeaseToken } from './lease-token.ts';
import { metadataByTenant } from './metadata-for.ts';
import { noMetrics } from './telemetry.ts';
import type { Acknowledgement, AcknowledgementResult, Refused, UseCases } from './use-cases.ts';

const LEASE_LOST: Refused = { kind: 'refused', reason: 'lease_lost' };

/**
 * Ends attempts: completed, failed, released, cancelled. A token that is not the running attempt's changes nothing,
 * and saying the same thing about the same attempt again answers as before. Tokens of tenants outside `tenants` are lost.
 */
export function createAcknowledge(deps: Omit<DispatchDeps, 'log' | 'readyQueue'>): UseCases['acknowledge'] {
  const { handler, running, clock, ids, metrics = noMetrics } = deps;

  return async (context, tenants, acknowledgements) => {
    const tokens = acknowledgements.map((acknowledgement) => tokenOf(acknowledgement, tenants));
    const at = clock.now();
    const metadataOf = metadataByTenant(context, at, ids.next());
    const works = tokens.flatMap((token, index) => {
      const acknowledgement = acknowledgements[index];
      if (!token || !acknowledgement) return [];
      const stream = jobStream(token.tenantId, token.jobId);
      return {
        stream,
        command: commandOf(acknowledgement, token.leaseId, at, ids.random()),
        metadata: metadataOf(token.tenantId),
        assume: running.get(stream),
      };
    });
    const handled = (await handler.handle(works))[Symbol.iterator]();
    const results = tokens.map((token) => {
      if (!token) return LEASE_LOST;
      const next = handled.next();
      if (next.done) return LEASE_LOST;
      if (next.value.kind !== 'accepted' || next.value.state.status !== 'running')
        running.forget(jobStream(token.tenantId, token.jobId));
      return resultOf(token, next.value);
    });
    for (const [index, result] of results.entries()) {
      const outcome = result.kind === 'refused' ? result.reason : (acknowledgements[index]?.outcome ?? '');
      metrics.count('acknowledgements_total', 1, { outcome });
    }
    return results;
  };
}

function tokenOf({ leaseToken }: Acknowledgement, tenants: readonly string[] | '*'): LeaseToken | undefined {
  const token = parseLeaseToken(leaseToken);
  return token && (tenants === '*' || tenants.includes(token.tenantId)) ? token : undefined;
}

function commandOf(
  acknowledgement: Acknowledgement,
  leaseId: string,
  at: number,
  jitter: number,
): JobCommand {
  switch (acknowledgement.outcome) {
    case 'completed':
      return { type: 'CompleteJob', leaseId, at, result: acknowledgement.result };
    case 'failed': {
      const { error, fatal = false, retryAfterMs } = acknowledgement;
      const fingerprint = errorFingerprint(error);
      return { type: 'FailJob', leaseId, at, jitter, fatal, retryAfterMs, error: { ...error, fingerprint } };
    }
    case 'released': {
      const { reason = 'released by the worker', runAt } = acknowledgement;
      return { type: 'ReleaseJob', leaseId, at, reason, runAt };
    }
    case 'cancelled':
      return { type: 'AcknowledgeCancel', leaseId, at };
    default:
      return unreachable(acknowledgement);
  }
}

function resultOf({ jobId }: LeaseToken, handled: HandledJob): AcknowledgementResult {
  switch (handled.kind) {
    case 'accepted': {
      const { state, revision, position } = handled;
      if (state.status === 'none' || state.status === 'voided') return LEASE_LOST;
      const waits = state.status === 'retrying' || state.status === 'scheduled' || state.status === 'queued';
      const runAt = waits ? state.runAt : undefined;
      return { kind: 'acknowledged', jobId, status: state.status, revision, runAt, position };
    }
    case 'rejected':
      // The token names a job that was never there: to its holder that is no different from a lease that ended.
      return { kind: 'refused', reason: handled.reason === 'job_not_found' ? 'lease_lost' : handled.reason };
    case 'revision_mismatch':
    case 'contended':
    case 'unreadable':
      return LEASE_LOST;
    default:
      return unreachable(handled);
  }
}
