import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { Acknowledgement } from '../../commands/use-cases.ts';
import { unreachable } from '../../domain/decider.ts';
import { contentAt } from './body-content.ts';
import type { acknowledgement } from './contract/claims.ts';
import { parseOptionalTime } from './rfc3339.ts';

/** An attempt's outcome, from the body or from the item of it at `pointer`. */
export function toAcknowledgement(
  request: FastifyRequest,
  body: z.output<typeof acknowledgement>,
  mostBytes: number,
  pointer = '',
): Acknowledgement {
  const { leaseToken } = body;
  switch (body.outcome) {
    case 'completed': {
      const result = contentAt(request, `${pointer}/result`, body.result, mostBytes);
      return { leaseToken, outcome: 'completed', result };
    }
    case 'failed': {
      const { error, retry, retryAfterMs } = body;
      return { leaseToken, outcome: 'failed', error, fatal: retry === 'never', retryAfterMs };
    }
    case 'released':
      return { leaseToken, outcome: 'released', reason: body.reason, runAt: parseOptionalTime(body.runAt) };
    case 'cancelled':
      return { leaseToken, outcome: 'cancelled' };
    default:
      return unreachable(body);
  }
}
