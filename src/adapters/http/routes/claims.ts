import type { Claim } from '../../../commands/use-cases.ts';
import { holderOf, tenantsOf, workerContextOf } from '../caller.ts';
import {
  claimRequest,
  claimResponse,
  type HeartbeatResponse,
  heartbeatRequest,
  heartbeatResponse,
} from '../contract/claims.ts';
import { whileSomebody } from '../credential-watch.ts';
import { jobToJson } from '../job-json.ts';
import type { OpenRequests } from '../open-requests.ts';
import { formatOptionalTime, formatTime } from '../rfc3339.ts';
import { sendJson } from '../send-json.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';

const TAGS = ['workers'];
export const DEFAULT_LEASE_MS = 30_000;

export function claimRoutes(app: App, parts: ServerParts, longPolls: OpenRequests): void {
  const { useCases, credentials, clock, limits } = parts;

  app.post(
    '/v1/claims',
    {
      config: { permission: 'work' },
      schema: {
        operationId: 'claimJobs',
        summary: 'Take jobs to work on',
        description: 'Answers as soon as there is a job; 204 when there was none within waitMs.',
        tags: TAGS,
        body: claimRequest,
        response: answers(
          { 200: claimResponse, 204: undefined },
          'malformed-json',
          'too-many-requests',
          'shutting-down',
        ),
      },
    },
    async (request, reply) => {
      const {
        workerId,
        queues = ['*'],
        types,
        max = 1,
        leaseMs = DEFAULT_LEASE_MS,
        waitMs = 0,
      } = request.body;
      const context = workerContextOf(request);
      const tenants = tenantsOf(request);
      const wanted = {
        workerId,
        types,
        max,
        leaseMs,
        waitMs,
        tenants,
        queues: queues.includes('*') ? '*' : queues,
      } as const;
      using poll = waitMs > 0 ? longPolls.open(reply.raw, holderOf(request)) : undefined;
      using watch = poll && whileSomebody(request, credentials, poll.signal);
      const claims = await useCases.claimJobs(context, wanted, watch ? { signal: watch.signal } : {});
      if (claims.length === 0) return reply.status(204).send();
      return sendJson(reply, 200, claimsToJson(claims, clock.now()));
    },
  );

  app.post(
    '/v1/claims/heartbeat',
    {
      bodyLimit: limits.batchBytes,
      config: { permission: 'work' },
      schema: {
        operationId: 'heartbeat',
        summary: 'Keep leases, learn what to do',
        description:
          'Also says which jobs were asked to cancel, which leases are lost, and whether to stop claiming.',
        tags: TAGS,
        body: heartbeatRequest,
        response: answers({ 200: heartbeatResponse }, 'malformed-json'),
      },
    },
    async (request): Promise<HeartbeatResponse> => {
      const { leaseMs = DEFAULT_LEASE_MS, ...beat } = request.body;
      const { directive, leases } = await useCases.heartbeat(workerContextOf(request), {
        ...beat,
        leaseMs,
        tenants: tenantsOf(request),
      });
      return {
        directive,
        leases: leases.map((lease) => ({
          ...lease,
          leaseExpiresAt: formatOptionalTime(lease.leaseExpiresAt),
        })),
      };
    },
  );
}

function claimsToJson(claims: readonly Claim[], now: number): string {
  const items = claims.map(({ leaseToken, leaseExpiresAt, snapshot }) => {
    const lease = { leaseToken, attempt: snapshot.job.attempt, leaseExpiresAt: formatTime(leaseExpiresAt) };
    return `${JSON.stringify(lease).slice(0, -1)},"job":${jobToJson(snapshot, now)}}`;
  });
  return `{"claims":[${items.join(',')}]}`;
}
