import type { FastifyReply, FastifyRequest } from 'fastify';
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
  const wanted = request.headers[HEADERS.awaitPosition];
  if (wanted !== undefined) {
    if (typeof wanted !== 'string' || !/^\d{1,18}$/.test(wanted)) {
      throw invalid('Await-Position', 'must be an Event-Position of this service');
    }
    const there = await projections.waitFor(projection, BigInt(wanted), limits.awaitMs);
    if (!there) throw new HttpProblem('projection-behind', undefined, { retryAfterMs: 1_000 });
  }
  const freshness = projections.freshness(projection);
  if (!freshness) return;
  reply.header(HEADERS.projectionPosition, String(freshness.position));
  reply.header(HEADERS.projectionLagMs, String(Math.round(freshness.lagMs)));
}
