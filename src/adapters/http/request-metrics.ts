import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../../commands/telemetry.ts';

/** Times every request by route, method and status. Long polls and streams count with all the time they stay open. */
export function registerRequestMetrics(app: FastifyInstance, metrics: Metrics): void {
  app.addHook('onResponse', (request, reply, done) => {
    metrics.observe('http_request_duration', reply.elapsedTime / 1_000, {
      method: request.method,
      route: request.routeOptions.url ?? 'unknown',
      status: String(reply.statusCode),
    });
    done();
  });
}
