import type { CallContext } from '../../commands/call-context.ts';
import type { Acknowledgement, Claim, UseCases } from '../../commands/use-cases.ts';
import { asJsonText } from '../../domain/json-text.ts';
import type { WorkerAcknowledgement, WorkerClaim, WorkerTransport } from '../../sdk/transport.ts';

/** Lets the SDK's worker run on an engine in the same process: the same worker, without HTTP between. */
export function inProcessTransport(
  useCases: Pick<UseCases, 'claimJobs' | 'heartbeat' | 'acknowledge'>,
  {
    context,
    tenants,
  }: { readonly context: Omit<CallContext, 'tenantId'>; readonly tenants: readonly string[] | '*' },
): WorkerTransport {
  return {
    async claim(request, signal) {
      const claims = await useCases.claimJobs(
        context,
        { ...request, tenants, queues: request.queues ?? '*' },
        { signal },
      );
      return claims.map(toWorkerClaim);
    },

    heartbeat({ workerId, leaseTokens, leaseMs }) {
      const leases = leaseTokens.map((leaseToken) => ({ leaseToken }));
      return useCases.heartbeat(context, { workerId, leases, leaseMs });
    },

    async acknowledge(acknowledgements) {
      const results = await useCases.acknowledge(context, tenants, acknowledgements.map(toAcknowledgement));
      return results.map((result) =>
        result.kind === 'acknowledged' ? result : { kind: 'refused', code: result.reason },
      );
    },
  };
}

function toWorkerClaim({ snapshot, leaseToken }: Claim): WorkerClaim {
  const { job } = snapshot;
  return {
    leaseToken,
    job: {
      id: snapshot.jobId,
      tenantId: snapshot.tenantId,
      type: job.type,
      queue: job.queue,
      priority: job.priority,
      attempt: job.attempt,
      maxAttempts: job.maxAttempts,
      tags: job.tags,
      payload: JSON.parse(job.payload),
      timeoutMs: job.timeoutMs ?? null,
    },
  };
}

function toAcknowledgement(acknowledgement: WorkerAcknowledgement): Acknowledgement {
  const { leaseToken } = acknowledgement;
  switch (acknowledgement.outcome) {
    case 'completed': {
      const { result } = acknowledgement;
      return {
        leaseToken,
        outcome: 'completed',
        result: result === undefined ? undefined : asJsonText(JSON.stringify(result)),
      };
    }
    case 'released':
      return { ...acknowledgement, runAt: acknowledgement.runAt?.getTime() };
    case 'failed':
    case 'cancelled':
      return acknowledgement;
  }
}
