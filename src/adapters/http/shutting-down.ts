import type { FastifyInstance } from 'fastify';
import { HttpProblem } from './problems.ts';

/**
 * What still comes over open connections while the server stops is told to come again, to whoever answers then. (Fastify
 * would do so in a body of its own, not as a problem.)
 */
export function registerShuttingDown(app: FastifyInstance): void {
  let stopping = false;
  app.addHook('preClose', async () => {
    stopping = true;
  });
  app.addHook('onRequest', (_request, reply, done) => {
    if (!stopping) return done();
    reply.header('connection', 'close');
    done(new HttpProblem('shutting-down', undefined, { retryAfterMs: 1_000 }));
  });
}
