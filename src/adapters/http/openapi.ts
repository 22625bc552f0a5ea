import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod';
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
      components: { securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } } },
      security: [{ apiKey: [] }],
    },
    transform: createJsonSchemaTransform({ zodToJsonConfig }),
    transformObject: (document) => prune(createJsonSchemaTransformObject({ zodToJsonConfig })(document)),
  });
  app.register(swaggerUi, { routePrefix: '/docs' });
}

interface WithSchemas {
  components?: { schemas?: Record<string, unknown> };
}

/** Drops the schemas that nothing refers to: each zod schema comes once as input and once as output. */
function prune<Document extends object>(document: Document): Document {
  const { components, ...rest } = document as Document & WithSchemas;
  const schemas = components?.schemas ?? {};
  const used = new Set<string>();
  const open = referencesIn(rest);
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (used.has(name)) continue;
    used.add(name);
    open.push(...referencesIn(schemas[name]));
  }
  const kept = Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)));
  return { ...document, components: { ...components, schemas: kept } };
}

const referencesIn = (part: unknown): string[] =>
  Array.from(
    JSON.stringify(part ?? null).matchAll(/"#\/components\/schemas\/([^"]+)"/g),
    ([, name]) => name ?? '',
  );
