import { contextOf, signedIn } from '../caller.ts';
import { eventsReceived, inboundEvents, receiveEventsQuery } from '../contract/inbound.ts';
import { receivedOf } from '../inbound-outcome.ts';
import { bodyBytes, CLOUD_EVENTS } from '../json-body.ts';
import { isPlatform } from '../principal.ts';
import { setRateLimit } from '../rate-limit-headers.ts';
import type { App, ServerParts } from '../server-parts.ts';
import { answers } from './describe.ts';

export function receiveEventsRoute(app: App, parts: ServerParts): void {
  const { inbound, clock, limits } = parts;

  app.post(
    '/v1/events',
    {
      bodyLimit: limits.batchBytes,
      config: { permission: 'enqueue', cloudEvents: true, idempotent: 'repeatable' },
      schema: {
        operationId: 'receiveEvents',
        summary: 'Take events of other services, as the inbox takes them from Kafka',
        description:
          'CloudEvents in structured, binary and batch mode, and the envelopes in docs/inbound.md. They are of the ' +
          'tenant of the API key. What they cause is durable when this answers; the same event again causes nothing.',
        tags: ['events'],
        consumes: ['application/json', ...CLOUD_EVENTS],
        querystring: receiveEventsQuery,
        body: inboundEvents,
        response: answers(
          { 202: eventsReceived },
          'malformed-json',
          'payload-too-large',
          'job-not-found',
          'plan-not-found',
          'tenant-paused',
          'quota-exceeded',
        ),
      },
    },
    async (request, reply) => {
      const { tenantId, actor, correlationId } = contextOf(request);
      const headers = Object.entries(request.headers).filter(
        ([name]) => name.startsWith('ce-') || name === 'content-type',
      );
      const message = {
        topic: request.query.topic,
        key: null,
        value: bodyBytes(request),
        headers: Object.fromEntries(headers.map(([name, value]) => [name, decodedHeader(String(value))])),
        sentAt: clock.now(),
        place: request.execution?.seed ?? request.id,
      };
      const caller = {
        actor,
        tenantId,
        isPlatform: isPlatform(signedIn(request)),
        correlationId,
        atomic: true,
      };
      const outcomes = await inbound.handle([message], caller);
      await setRateLimit(reply, parts, tenantId);
      return reply.status(202).send(receivedOf(outcomes));
    },
  );
}

/** CloudEvents over HTTP: what is not plain ASCII comes percent-encoded. */
function decodedHeader(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
