import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { IdempotencyStore, IdempotentExecution, KeptResponse } from '../../commands/idempotency.ts';
import type { Logger } from '../../commands/telemetry.ts';
import { isOfManyTenants, tenantOf } from './caller.ts';
import { HEADERS } from './contract/headers.ts';
import { bodyBytes } from './json-body.ts';
import { HttpProblem, invalid } from './problems.ts';
import { sendText } from './send-json.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Idempotency-Key is honoured. `repeatable`: executing the request again under the same seed has the same effect, so
     * the answer need not wait until it is kept.
     */
    readonly idempotent?: boolean | 'repeatable';
  }
  interface FastifyRequest {
    /** Set while a request with an Idempotency-Key is executed. */
    execution: IdempotentExecution | null;
    /** The answer refuses for the moment: a repeat is executed again. Only where the same seed has the same effect. */
    isForNow: boolean;
  }
}

/** Headers of an answer that belong to what was done, not to this exchange. */
const KEPT_HEADERS = ['content-type', 'location', 'etag', HEADERS.eventPosition] as const;

/** Answers repeated requests as the first one was answered. Comes after validation: a refused body uses up no key. */
export function registerIdempotency(app: FastifyInstance, store: IdempotencyStore, logger: Logger): void {
  app.decorateRequest('execution', null);
  app.decorateRequest('isForNow', false);
  // Most requests bring no key: they wait for nothing here, not even a promise.
  app.addHook('preHandler', (request, reply, done) => {
    const key = keyOf(request);
    if (key === undefined) return done();
    return begin(request, reply, key);
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    const { execution } = request;
    if (!execution) return done(null, payload);
    return keep(request, reply, execution, payload);
  });

  async function begin(request: FastifyRequest, reply: FastifyReply, key: string): Promise<unknown> {
    const repeatable = request.routeOptions.config.idempotent === 'repeatable';
    const decision = await store.begin(scopeOf(request), key, fingerprintOf(request), { repeatable });
    switch (decision.kind) {
      case 'execute':
        request.execution = decision;
        return;
      case 'replay':
        return replay(reply, decision);
      case 'in_progress':
        throw new HttpProblem('idempotency-in-progress', undefined, { retryAfterMs: 1_000 });
      case 'mismatch':
        throw new HttpProblem('idempotency-key-reused');
    }
  }

  async function keep<Payload>(
    request: FastifyRequest,
    reply: FastifyReply,
    execution: IdempotentExecution,
    payload: Payload,
  ): Promise<Payload> {
    const settled =
      request.isForNow || mayBeMended(reply)
        ? store.abandon(execution)
        : store.finish(execution, responseOf(reply, String(payload ?? '')));
    const kept = settled.catch((err: unknown) => {
      // The key stays taken until its execution counts as dead; the answer itself is right.
      logger.warn({ err, requestId: request.id }, 'an answer could not be kept');
    });
    if (request.routeOptions.config.idempotent !== 'repeatable') await kept;
    return payload;
  }
}

function keyOf(request: FastifyRequest): string | undefined {
  const key = request.headers[HEADERS.idempotencyKey];
  if (key === undefined || !request.routeOptions.config.idempotent) return undefined;
  if (typeof key === 'string' && /^[\x21-\x7e]{1,255}$/.test(key)) return key;
  throw invalid('Idempotency-Key', 'must be 1 to 255 printable ASCII characters without blanks');
}

/** Keys belong to a tenant; those of requests that are about the whole service, to all tenants together. */
function scopeOf(request: FastifyRequest): string {
  const { permission } = request.routeOptions.config;
  const isOfAll =
    permission === 'administer_platform' || (permission === 'administer' && isOfManyTenants(request));
  return isOfAll ? '*' : tenantOf(request);
}

const fingerprintOf = (request: FastifyRequest): string =>
  createHash('sha256')
    .update(`${request.method} ${request.url}\n${request.headers['if-match'] ?? ''}\n`)
    // What was answered to others may hold what this role must not see.
    .update(request.redaction ? `${request.principal?.role}\n` : '')
    .update(bodyBytes(request))
    .digest('base64url');

/** A later try of the same request may well succeed. */
const mayBeMended = (reply: FastifyReply): boolean =>
  reply.statusCode >= 500 || reply.hasHeader('retry-after');

function responseOf(reply: FastifyReply, body: string): KeptResponse {
  const headers: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = reply.getHeader(name);
    if (value !== undefined) headers[name] = String(value);
  }
  return { status: reply.statusCode, headers, body };
}

const replay = (reply: FastifyReply, { status, headers, body }: KeptResponse): FastifyReply =>
  sendText(reply.headers(headers).header(HEADERS.idempotentReplayed, 'true').status(status), body);
