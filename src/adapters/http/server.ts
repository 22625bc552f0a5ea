import Fastify, { type FastifyInstance } from 'fastify';
import { registerAuthentication } from './authentication.ts';
import { registerBodyBudget } from './body-budget.ts';
import { registerBodyTurns } from './body-turns.ts';
import { cachedCredentials } from './cached-credentials.ts';
import { HEADERS } from './contract/headers.ts';
import { FailedAttempts } from './failed-attempts.ts';
import { registerIdempotency } from './idempotency.ts';
import { registerJsonBody } from './json-body.ts';
import { answerNotHttp } from './not-http.ts';
import { OpenRequests } from './open-requests.ts';
import { registerOpenApi } from './openapi.ts';
import { registerProblems, sendProblem, toProblem } from './problems.ts';
import { registerRequestMetrics } from './request-metrics.ts';
import { registerRequestValidation } from './request-validation.ts';
import { acknowledgeRoutes } from './routes/acknowledge.ts';
import { auditRoutes } from './routes/audit.ts';
import { claimRoutes } from './routes/claims.ts';
import { deadLetterRoutes } from './routes/dead-letters.ts';
import { enqueueRoutes } from './routes/enqueue.ts';
import { eventRoutes } from './routes/events.ts';
import { forwarderRoutes } from './routes/forwarder.ts';
import { inboxRoutes } from './routes/inbox.ts';
import { jobRoutes } from './routes/jobs.ts';
import { keyRoutes } from './routes/keys.ts';
import { operationRoutes } from './routes/operations.ts';
import { planRoutes } from './routes/plans.ts';
import { projectionRoutes } from './routes/projections.ts';
import { queueRoutes } from './routes/queues.ts';
import { quotaRoutes } from './routes/quotas.ts';
import { receiveEventsRoute } from './routes/receive-events.ts';
import { replayInboxRoute } from './routes/replay-inbox.ts';
import { republicationRoutes } from './routes/republications.ts';
import { schemaRoutes } from './routes/schemas.ts';
import { serviceRoutes } from './routes/service.ts';
import { statsRoutes } from './routes/stats.ts';
import { subscriptionRoutes } from './routes/subscriptions.ts';
import { tenantRoutes } from './routes/tenants.ts';
import { workerRoutes } from './routes/workers.ts';
import { registerSecurityHeaders } from './security-headers.ts';
import type { App, ServerParts } from './server-parts.ts';
import { registerShuttingDown } from './shutting-down.ts';
import { registerUnknownRoutes } from './unknown-routes.ts';

/**
 * The HTTP API. Listening is the caller's affair; close() ends long polls and streams at once and lets running requests
 * finish.
 */
export function createServer(given: ServerParts): FastifyInstance {
  const app: App = Fastify({
    bodyLimit: given.limits.bodyBytes,
    genReqId: () => given.ids.next(),
    logger: false,
    routerOptions: { maxParamLength: 200 },
    // A client gets half a minute to send its head and body, and what it may have to wait in line; long polls wait in the
    // answer.
    requestTimeout: 30_000 + given.limits.bodyTurns.waitMs,
    forceCloseConnections: 'idle',
    // registerShuttingDown says it better.
    return503OnClosing: false,
    clientErrorHandler: answerNotHttp,
    frameworkErrors: (error, request, reply) => sendProblem(toProblem(error), request, reply),
  });
  const { limits, metrics } = given;
  const longPolls = new OpenRequests(limits.waitingClaims, (open) => metrics.gauge('http_long_polls', open));
  const streams = new OpenRequests(limits.streams, (open) => metrics.gauge('http_event_streams', open));

  const credentials = cachedCredentials(given.credentials, given.clock);
  const parts = { ...given, credentials };

  registerSecurityHeaders(app);
  registerRequestValidation(app);
  registerProblems(app, parts.logger);
  registerShuttingDown(app);
  registerUnknownRoutes(app);
  registerJsonBody(app);
  registerRequestMetrics(app, parts.metrics);
  registerOpenApi(app);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header(HEADERS.requestId, request.id);
    done();
  });
  app.addHook('preClose', async () => {
    longPolls.closeAll();
    streams.closeAll();
  });

  app.register(async (open) => serviceRoutes(open as App, parts));
  app.register(async (open) => schemaRoutes(open as App));
  app.register(async (v1) => {
    registerAuthentication(v1, {
      credentials,
      failures: new FailedAttempts(parts.clock, metrics),
      redactions: parts.redactions ?? {},
    });
    registerBodyBudget(v1, limits.bodies);
    registerBodyTurns(v1, limits.bodyTurns, metrics);
    registerIdempotency(v1, parts.idempotency, parts.logger);
    const api = v1 as App;
    enqueueRoutes(api, parts);
    jobRoutes(api, parts);
    claimRoutes(api, parts, longPolls);
    acknowledgeRoutes(api, parts);
    deadLetterRoutes(api, parts);
    queueRoutes(api, parts);
    tenantRoutes(api, parts);
    quotaRoutes(api, parts);
    planRoutes(api, parts);
    projectionRoutes(api, parts);
    eventRoutes(api, parts, streams);
    forwarderRoutes(api, parts);
    republicationRoutes(api, parts);
    receiveEventsRoute(api, parts);
    subscriptionRoutes(api, parts);
    inboxRoutes(api, parts);
    replayInboxRoute(api, parts);
    keyRoutes(api, parts);
    auditRoutes(api, parts);
    statsRoutes(api, parts);
    workerRoutes(api, parts);
    operationRoutes(api, parts);
  });
  return app;
}
