import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Position } from '../../commands/ports.ts';
import { HEADERS } from './contract/headers.ts';
import { HttpProblem, invalid } from './problems.ts';
import type { ServerParts } from './server-parts.ts';

/**
 * Waits until a read model has what Await-Position asks for, and says how current the answer is. Ends with
 * `projection-behind` when it takes too long.
 */
export async function followLog(
  request: FastifyRequest,
  reply: FastifyReply,
  { projections, limits }: Pick<ServerParts, 'projections' | 'limits'>,
  projection: string,
): Promise<void> {
  const wanted = awaited(request);
  if (wanted !== undefined && !(await projections.waitFor(projection, wanted, limits.awaitMs))) {
    throw new HttpProblem('projection-behind', undefined, { retryAfterMs: 1_000 });
  }
  const freshness = await projections.freshness(projection);
  if (!freshness) return;
  // What is known may be older than what was just waited for.
  const position = wanted !== undefined && wanted > freshness.position ? wanted : freshness.position;
  reply.header(HEADERS.projectionPosition, String(position));
  reply.header(HEADERS.projectionLagMs, String(Math.round(freshness.lagMs)));
}

function awaited(request: FastifyRequest): Position | undefined {
  const value = request.headers[HEADERS.awaitPosition];
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^\d{1,18}$/.test(value)) return BigInt(value);
  throw invalid('Await-Position', 'must be an Event-Position of this service');
}
