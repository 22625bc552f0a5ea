import type { FastifyReply, FastifyRequest } from 'fastify';
import { parseLeaseToken } from '../../../commands/lease-token.ts';
import type { Acknowledgement, AcknowledgementResult } from '../../../commands/use-cases.ts';
import { toAcknowledgement } from '../acknowledgement-request.ts';
import { tenantsOf, workerContextOf } from '../caller.ts';
import {
  type Acknowledged,
  type AcknowledgeResponse,
  acknowledgeCancelRequest,
  acknowledged,
  acknowledgeRequest,
  acknowledgeResponse,
  completeJobRequest,
  failJobRequest,
  heartbeatJobRequest,
  heartbeatLease,
  releaseJobRequest,
} from '../contract/claims.ts';
import { jobParams } from '../contract/jobs.ts';
import { accept, HttpProblem, refusalBody } from '../problems.ts';
import { setPosition, setRevision } from '../revision-headers.ts';
import { formatOptionalTime } from '../rfc3339.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { DEFAULT_LEASE_MS } from './claims.ts';
import { answers } from './describe.ts';

const TAGS = ['workers'];
const PROBLEMS = [
  'malformed-json',
  'lease-lost',
  'payload-too-large',
  'log-overloaded',
  'log-unavailable',
] as const;

export function acknowledgeRoutes(app: App, { useCases, limits }: ServerParts): void {
  app.post(
    '/v1/claims/ack',
    {
      bodyLimit: limits.batchBytes,
      config: { permission: 'work' },
      schema: {
        operationId: 'acknowledge',
        summary: 'Say how up to 1,000 attempts ended',
        description: 'Any mix of completed, failed, released and cancelled; every item has its own outcome.',
        tags: TAGS,
        body: acknowledgeRequest,
        response: answers({ 200: acknowledgeResponse }, ...PROBLEMS),
      },
    },
    async (request, reply): Promise<AcknowledgeResponse> => {
      const items = request.body.acknowledgements.map((item, index) =>
        toAcknowledgement(request, item, limits.contentBytes, `/acknowledgements/${index}`),
      );
      const results = await useCases.acknowledge(workerContextOf(request), tenantsOf(request), items);
      setPosition(reply, newestOf(results));
      return {
        results: results.map((result) =>
          result.kind === 'refused'
            ? { kind: 'refused', problem: refusalBody(result) }
            : { kind: 'acknowledged', ...acknowledgedView(result) },
        ),
      };
    },
  );

  const single = async (
    request: FastifyRequest,
    reply: FastifyReply,
    item: Acknowledgement,
    jobId: string,
  ) => {
    if (parseLeaseToken(item.leaseToken)?.jobId !== jobId) throw new HttpProblem('lease-lost');
    const [result] = await useCases.acknowledge(workerContextOf(request), tenantsOf(request), [item]);
    if (!result) throw new Error('no result for the acknowledgement');
    const done = accept(result);
    setRevision(reply, done.revision, done.position);
    return acknowledgedView(done);
  };
  const described = (operationId: string, summary: string) => ({
    operationId,
    summary,
    tags: TAGS,
    params: jobParams,
    response: answers({ 200: acknowledged }, ...PROBLEMS),
  });

  app.post(
    '/v1/jobs/:id/complete',
    {
      config: { permission: 'work' },
      schema: { ...described('completeJob', 'The attempt succeeded'), body: completeJobRequest },
    },
    async (request, reply) => {
      const body = { outcome: 'completed' as const, ...request.body };
      return single(request, reply, toAcknowledgement(request, body, limits.contentBytes), request.params.id);
    },
  );

  app.post(
    '/v1/jobs/:id/fail',
    {
      config: { permission: 'work' },
      schema: { ...described('failJob', 'The attempt failed'), body: failJobRequest },
    },
    async (request, reply) => {
      const body = { outcome: 'failed' as const, ...request.body };
      return single(request, reply, toAcknowledgement(request, body, limits.contentBytes), request.params.id);
    },
  );

  app.post(
    '/v1/jobs/:id/release',
    {
      config: { permission: 'work' },
      schema: { ...described('releaseJob', 'Give the job back, attempt not spent'), body: releaseJobRequest },
    },
    async (request, reply) => {
      const body = { outcome: 'released' as const, ...request.body };
      return single(request, reply, toAcknowledgement(request, body, limits.contentBytes), request.params.id);
    },
  );

  app.post(
    '/v1/jobs/:id/acknowledge-cancel',
    {
      config: { permission: 'work' },
      schema: { ...described('acknowledgeCancel', 'Stopped, as asked'), body: acknowledgeCancelRequest },
    },
    async (request, reply) => {
      const body = { outcome: 'cancelled' as const, ...request.body };
      return single(request, reply, toAcknowledgement(request, body, limits.contentBytes), request.params.id);
    },
  );

  app.post(
    '/v1/jobs/:id/heartbeat',
    {
      config: { permission: 'work' },
      schema: {
        ...described('heartbeatJob', 'Keep one lease'),
        body: heartbeatJobRequest,
        response: answers({ 200: heartbeatLease }, 'malformed-json', 'lease-lost'),
      },
    },
    async (request) => {
      const { workerId, leaseToken, leaseMs = DEFAULT_LEASE_MS } = request.body;
      if (parseLeaseToken(leaseToken)?.jobId !== request.params.id) throw new HttpProblem('lease-lost');
      const beat = { workerId, leaseMs, tenants: tenantsOf(request), leases: [{ leaseToken }] };
      const { leases } = await useCases.heartbeat(workerContextOf(request), beat);
      const [lease] = leases;
      if (!lease || lease.status === 'lost') throw new HttpProblem('lease-lost');
      return { ...lease, leaseExpiresAt: formatOptionalTime(lease.leaseExpiresAt) };
    },
  );
}

const acknowledgedView = (
  result: Extract<AcknowledgementResult, { readonly kind: 'acknowledged' }>,
): Acknowledged => ({
  jobId: result.jobId,
  status: result.status,
  runAt: formatOptionalTime(result.runAt),
  revision: result.revision,
});

function newestOf(results: readonly AcknowledgementResult[]): bigint | undefined {
  let newest: bigint | undefined;
  for (const result of results) {
    if (result.kind !== 'acknowledged' || result.position === undefined) continue;
    if (newest === undefined || result.position > newest) newest = result.position;
  }
  return newest;
}
