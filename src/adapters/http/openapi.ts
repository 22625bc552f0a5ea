import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifySchema, RouteOptions } from 'fastify';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { tidyComponents } from './openapi-components.ts';
import type { App } from './server-parts.ts';

/** zod writes out the pattern behind every format; the format says it all. */
const zodToJsonConfig = {
  override: ({ jsonSchema }: { jsonSchema: { format?: string; pattern?: string } }) => {
    if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
  },
};

/** Describes the routes registered after it; /docs shows the description. */
export function registerOpenApi(app: App): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Eventzr Jobs',
        version: '1',
        description:
          'Multi-tenant, event-sourced jobs. Errors are problem+json (docs/errors.md); every change answers its ' +
          'Event-Position, every list can wait for one with Await-Position.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      components: {
        securitySchemes: {
          apiKey: {
            type: 'http',
            scheme: 'bearer',
            description: 'An API key, or a token of the identity provider.',
          },
        },
      },
      security: [{ apiKey: [] }],
    },
    transform: (route) => withHeaders(createJsonSchemaTransform({ zodToJsonConfig })(route), route.route),
    transformObject: (document) =>
      tidyComponents(createJsonSchemaTransformObject({ zodToJsonConfig })(document)),
  });
  app.register(swaggerUi, { routePrefix: '/docs' });
}

const text = (description: string) => ({ type: 'string', description });

/** Headers are read where they are needed, not by schema; which a route reads follows from what it can answer. */
function withHeaders(
  described: { schema: FastifySchema; url: string },
  route: RouteOptions,
): { schema: FastifySchema; url: string } {
  const permission = route.config?.permission;
  const answers = (described.schema.response ?? {}) as Record<string, unknown>;
  const reads = route.method === 'GET' || (Array.isArray(route.method) && route.method.includes('GET'));
  const properties = {
    ...(permission && {
      'On-Behalf-Of': text(
        'The tenant that is meant, for callers that act for several; refused when it is none of theirs.',
      ),
    }),
    ...(route.config?.idempotent && {
      'Idempotency-Key': text(
        'Repeating the request with the same key answers as it did the first time; kept 24 h.',
      ),
    }),
    ...('412' in answers && {
      'If-Match': text('ETag as it was read: refused when it has changed.'),
    }),
    ...('504' in answers && {
      'Await-Position': text('Event-Position of a change that the answer must show; waits up to 2 s.'),
    }),
  };
  if (!permission) return described;
  const schema = {
    ...described.schema,
    // What the credential must allow; docs/security.md says which role does.
    'x-permission': permission,
    headers: { type: 'object', properties },
    ...(reads && { querystring: withTenant(described.schema.querystring) }),
  };
  return { ...described, schema };
}

/** Reads take the tenant as a parameter, too: where only an address can be given. */
function withTenant(querystring: unknown): object {
  const { properties, ...rest } = (querystring ?? { type: 'object' }) as { readonly properties?: object };
  return { ...rest, properties: { ...properties, tenant: text('As On-Behalf-Of.') } };
}
