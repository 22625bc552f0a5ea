import type { FastifyInstance } from 'fastify';

/** For every answer, also those that do not come from a route. */
export const NO_SNIFFING = { 'x-content-type-options': 'nosniff' } as const;

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  // The description's icons are part of its style sheet.
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const OF_PAGES = {
  'content-security-policy': POLICY,
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
} as const;

/** Tells browsers to believe the types of answers, and pages to load from here alone and to be in no frame. */
export function registerSecurityHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(NO_SNIFFING);
    done();
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    const type = reply.getHeader('content-type');
    if (typeof type === 'string' && type.startsWith('text/html')) reply.headers(OF_PAGES);
    done(null, payload);
  });
}
