import { liveness, type Readiness, readiness } from '../contract/health.ts';
import { PROBLEMS, type ProblemCode, type ProblemKind } from '../problem-catalogue.ts';
import { HttpProblem } from '../problems.ts';
import type { App, HealthCheck, ServerParts } from '../server-parts.ts';

const TAGS = ['service'];
const CHECK_TIMEOUT_MS = 2_000;

/** What machines ask of the service itself; no credential needed. */
export function serviceRoutes(app: App, parts: ServerParts): void {
  app.get(
    '/livez',
    {
      schema: {
        operationId: 'getLiveness',
        summary: 'The process answers',
        tags: TAGS,
        response: { 200: liveness },
      },
    },
    async () => ({ status: 'ok' as const }),
  );

  app.get(
    '/readyz',
    {
      schema: {
        operationId: 'getReadiness',
        summary: 'Every part the service needs works',
        tags: TAGS,
        response: { 200: readiness, 503: readiness },
      },
    },
    async (_request, reply) => {
      const checks = await Promise.all(parts.healthChecks.map(run));
      const failed = checks.some(({ status }) => status === 'failed');
      return reply.status(failed ? 503 : 200).send({ status: failed ? 'unavailable' : 'ok', checks });
    },
  );

  app.get(
    '/metrics',
    {
      schema: {
        operationId: 'getMetrics',
        summary: 'Figures for Prometheus',
        tags: TAGS,
        produces: ['text/plain'],
      },
    },
    async (_request, reply) => reply.type('text/plain; version=0.0.4').send(await parts.metricsText()),
  );

  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());

  app.get<{ Params: { code: string } }>(
    '/problems/:code',
    { schema: { hide: true } },
    async (request, reply) => {
      const kind = kindOf(request.params.code);
      if (!kind) throw new HttpProblem('not-found', 'no such kind of problem');
      return reply.type('text/html; charset=utf-8').send(problemPage(request.params.code, kind));
    },
  );
}

async function run({ name, check }: HealthCheck): Promise<Readiness['checks'][number]> {
  const late = AbortSignal.timeout(CHECK_TIMEOUT_MS);
  const timeout = new Promise<never>((_, reject) => {
    late.addEventListener('abort', () => reject(new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`)), {
      once: true,
    });
  });
  try {
    await Promise.race([check(), timeout]);
    return { name, status: 'ok' };
  } catch (error) {
    return { name, status: 'failed', detail: error instanceof Error ? error.message : String(error) };
  }
}

const kindOf = (code: string): ProblemKind | undefined =>
  Object.hasOwn(PROBLEMS, code) ? PROBLEMS[code as ProblemCode] : undefined;

const problemPage = (code: string, { status, title, meaning }: ProblemKind): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${code}</title></head>
<body><h1>${status} ${title}</h1><p><code>${code}</code></p><p>${escapeHtml(meaning)}</p></body></html>
`;

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
