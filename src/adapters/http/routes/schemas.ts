import { hash } from 'node:crypto';
import { schemaFiles } from '../../cloudevents/json-schemas.ts';
import { HttpProblem } from '../problems.ts';
import { isKnown } from '../revision-headers.ts';
import { sendText } from '../send-json.ts';
import type { App } from '../server-parts.ts';

/** JSON Schemas of the public events, for whoever reads a `dataschema`; no credential needed. */
export function schemaRoutes(app: App): void {
  const files = new Map(
    schemaFiles().map(({ name, text }) => [
      name,
      { text, tag: hash('sha256', text, 'base64url').slice(0, 22) },
    ]),
  );

  app.get<{ Params: { file: string } }>(
    '/schemas/:file',
    { schema: { hide: true } },
    async (request, reply) => {
      const file = files.get(request.params.file);
      if (!file) throw new HttpProblem('not-found', 'no such schema');
      // A version of a type only ever gains optional fields: an hour's delay harms nobody.
      reply.header('etag', `"${file.tag}"`).header('cache-control', 'public, max-age=3600');
      if (isKnown(request, file.tag)) return reply.status(304).send();
      return sendText(reply.type('application/schema+json; charset=utf-8'), file.text);
    },
  );
}
