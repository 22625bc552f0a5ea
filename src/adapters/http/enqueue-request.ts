import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { EnqueueRequest } from '../../commands/use-cases.ts';
import { unreachable } from '../../domain/decider.ts';
import { type RetryPolicy, STANDARD_STEPS_MS } from '../../domain/job/retry-policy.ts';
import { asJsonText } from '../../domain/json-text.ts';
import { contentAt } from './body-content.ts';
import type { enqueueJobRequest, retryPolicyRequest } from './contract/jobs.ts';
import { parseOptionalTime } from './rfc3339.ts';

const NULL = asJsonText('null');
/** What the fields of an exponential policy are when they are not given. */
const EXPONENTIAL = { baseMs: 1_000, factor: 2, maxMs: 3_600_000 };

/** A job to enqueue, from the body or from the item of it at `pointer`. */
export function toEnqueueRequest(
  request: FastifyRequest,
  body: z.output<typeof enqueueJobRequest>,
  mostBytes: number,
  pointer = '',
): EnqueueRequest {
  return {
    type: body.type,
    payload: contentAt(request, `${pointer}/payload`, body.payload, mostBytes) ?? NULL,
    queue: body.queue,
    priority: body.priority,
    runAt: parseOptionalTime(body.runAt),
    maxAttempts: body.maxAttempts,
    retry: body.retry && toRetryPolicy(body.retry),
    timeoutMs: body.timeoutMs,
    deadlineAt: parseOptionalTime(body.deadlineAt),
    dedupeKey: body.dedupeKey,
    tags: body.tags,
  };
}

function toRetryPolicy(policy: z.output<typeof retryPolicyRequest>): RetryPolicy {
  switch (policy.kind) {
    case 'exponential':
      return {
        kind: 'exponential',
        baseMs: policy.baseMs ?? EXPONENTIAL.baseMs,
        factor: policy.factor ?? EXPONENTIAL.factor,
        maxMs: policy.maxMs ?? EXPONENTIAL.maxMs,
      };
    case 'standard':
      return { kind: 'steps', stepsMs: STANDARD_STEPS_MS };
    case 'fixed':
    case 'steps':
    case 'none':
      return policy;
    default:
      return unreachable(policy);
  }
}
