import type { FastifyInstance } from 'fastify';
import { HttpProblem, sendProblem } from './problems.ts';

/** Addresses that do not exist, and those that exist for other methods. Call it before the routes are added. */
export function registerUnknownRoutes(app: FastifyInstance): void {
  const routes: { readonly pattern: RegExp; readonly methods: readonly string[] }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    const pattern = new RegExp(
      `^${url
        .replaceAll('.', '\\.')
        .replaceAll(/:[a-zA-Z]+/g, '[^/]+')
        .replaceAll('*', '.*')}$`,
    );
    routes.push({ pattern, methods: [method].flat() });
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const methods = routes.filter(({ pattern }) => pattern.test(path)).flatMap((route) => route.methods);
    if (methods.length === 0)
      return sendProblem(new HttpProblem('not-found', 'nothing is at this address'), request, reply);
    const allow = [...new Set(methods)].join(', ');
    return sendProblem(
      new HttpProblem('method-not-allowed', undefined, { headers: { allow } }),
      request,
      reply,
    );
  });
}
