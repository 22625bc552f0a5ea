import type {
  Acknowledgement,
  AcknowledgeResponse,
  ClaimResponse,
  HeartbeatResponse,
} from '../adapters/http/contract/claims.ts';
import { type ConnectionOptions, request } from './http.ts';
import type { WorkerAcknowledgement, WorkerTransport } from './transport.ts';

/** A worker's way to the service over plain HTTP. */
export function httpTransport(connection: ConnectionOptions): WorkerTransport {
  return {
    async claim(claim, signal) {
      const answer = await request<ClaimResponse | undefined>(
        { ...connection, tries: 1 },
        { method: 'POST', path: '/v1/claims', body: claim, signal, waitMs: claim.waitMs },
      );
      return answer?.claims ?? [];
    },

    heartbeat({ workerId, leaseTokens, leaseMs }) {
      const leases = leaseTokens.map((leaseToken) => ({ leaseToken }));
      return request<HeartbeatResponse>(connection, {
        method: 'POST',
        path: '/v1/claims/heartbeat',
        body: { workerId, leases, leaseMs },
      });
    },

    async acknowledge(acknowledgements) {
      const answer = await request<AcknowledgeResponse>(connection, {
        method: 'POST',
        path: '/v1/claims/ack',
        body: { acknowledgements: acknowledgements.map(toWire) },
      });
      return answer.results.map((result) =>
        result.kind === 'acknowledged' ? result : { kind: 'refused', code: result.problem.code },
      );
    },
  };
}

function toWire(acknowledgement: WorkerAcknowledgement): Acknowledgement {
  if (acknowledgement.outcome === 'released') {
    const { runAt, ...rest } = acknowledgement;
    return runAt ? { ...rest, runAt: runAt.toISOString() } : rest;
  }
  if (acknowledgement.outcome !== 'failed') return acknowledgement;
  const { fatal, retryAfterMs, ...rest } = acknowledgement;
  return {
    ...rest,
    retry: fatal ? 'never' : 'auto',
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}
