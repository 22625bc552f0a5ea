import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type PublicEvent, publicEvent } from '../../src/adapters/cloudevents/public-event.ts';
import { actionEventDefinitions } from '../../src/commands/action-codec.ts';
import { apiKeyEventDefinitions } from '../../src/commands/api-key-codec.ts';
import { dedupeKeyEventDefinitions } from '../../src/commands/dedupe-key-codec.ts';
import { jobEventDefinitions } from '../../src/commands/job-codec.ts';
import { LOG_START } from '../../src/commands/ports.ts';
import { queueEventDefinitions } from '../../src/commands/queue-codec.ts';
import { tenantQuotaEventDefinitions } from '../../src/commands/tenant-quota-codec.ts';
import type { JobEvent } from '../../src/domain/job/events.ts';
import { QUOTA_EVENTS } from '../support/public-quota-events.ts';

interface Definition {
  readonly schema: z.ZodType;
  readonly content?: { readonly field: string; readonly required: boolean };
}

interface Documented {
  /** Public type, or `internal`. */
  readonly face: string;
  /** Names as written, `?` included. */
  readonly fields: readonly string[];
  readonly published: readonly string[];
}

const document = readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8');
const documented = new Map(
  document
    .split(/^### /m)
    .slice(1)
    .map((section): [string, Documented] => {
      const [, name = '', face = ''] = /^(\w+): (.+)$/m.exec(section) ?? [];
      const rows = [...section.matchAll(/^\| ([\w, ?]+) \| (yes|—) \|/gm)];
      const fields = rows.flatMap(([, names = '', published]) =>
        names.split(', ').map((field) => ({ field, published: published === 'yes' })),
      );
      return [
        name,
        {
          face: face.replaceAll('`', ''),
          fields: fields.map(({ field }) => field).sort(),
          published: fields
            .filter(({ published }) => published)
            .map(({ field }) => field.replace('?', ''))
            .sort(),
        },
      ];
    }),
);

/** Fields of every event as its schema and its content have them. */
const actual = Object.entries<Definition>({
  ...jobEventDefinitions,
  ...queueEventDefinitions,
  ...tenantQuotaEventDefinitions,
  ...dedupeKeyEventDefinitions,
  ...apiKeyEventDefinitions,
  ...actionEventDefinitions,
}).map(([type, definition]): [string, readonly string[]] => [type, fieldsOf(definition)]);

it('every event is documented, and no other', () => {
  expect([...documented.keys()].sort()).toEqual(actual.map(([type]) => type).sort());
});

it.each(actual)('%s is documented with its fields', (type, fields) => {
  expect(documented.get(type)?.fields).toEqual([...fields].sort());
});

const metadata = {
  tenantId: 'acme',
  actor: { id: 'k1', auth: 'api_key' },
  correlationId: 'c1',
  causationId: 'c2',
  occurredAt: 0,
} as const;

describe('what is published', () => {
  const jobTypes = Object.keys(jobEventDefinitions);

  it.each(jobTypes)('of %s is documented', (type) => {
    const faces = examples(type).map((event) =>
      publicEvent({
        aggregate: 'job',
        jobId: '01890a5d-ac96-774b-bcce-b302099a8057',
        event,
        stream: 'job-acme.01890a5d-ac96-774b-bcce-b302099a8057',
        revision: 0,
        position: LOG_START,
        recordedAt: 0,
        tenantId: 'acme',
        metadata,
      }),
    );
    expectDocumented(type, faces);
  });

  it.each(QUOTA_EVENTS)('of $type is documented', (event) => {
    const place = { stream: 'quota-acme', revision: 0, position: LOG_START, recordedAt: 0, tenantId: 'acme' };
    expectDocumented(event.type, [publicEvent({ aggregate: 'tenant_quota', event, ...place, metadata })]);
  });

  it('is nothing of the other aggregates', () => {
    const known = [...jobTypes, ...Object.keys(tenantQuotaEventDefinitions)];
    const others = [...documented].filter(([type]) => !known.includes(type));
    expect(others.filter(([, { face, published }]) => face !== 'internal' || published.length > 0)).toEqual(
      [],
    );
  });
});

function expectDocumented(type: string, faces: readonly (PublicEvent | undefined)[]): void {
  const members = faces.flatMap((face) => {
    if (!face) return [];
    const details = Object.entries(face.details).filter(([, value]) => value !== undefined);
    const content = face.content ? [face.content.field] : [];
    return [...Object.keys(face.identity ?? {}), ...details.map(([name]) => name), ...content];
  });
  const types = new Set(faces.map((face) => face?.type ?? 'internal'));
  expect(documented.get(type)?.face).toBe([...types].join());
  expect(documented.get(type)?.published).toEqual([...new Set(members)].sort());
}

function fieldsOf({ schema, content }: Definition): readonly string[] {
  if (!(schema instanceof z.ZodObject)) throw new Error('event data is an object');
  const fields = Object.entries(schema.shape).map(([name, field]) =>
    z.safeParse(field, undefined).success ? `${name}?` : name,
  );
  return content ? [...fields, content.required ? content.field : `${content.field}?`] : fields;
}

function examples(type: string): readonly JobEvent[] {
  const fixture = new URL(`../fixtures/events/${type}.v1.json`, import.meta.url);
  const { examples } = JSON.parse(readFileSync(fixture, 'utf8')) as { examples: { event: JobEvent }[] };
  return examples.map(({ event }) => event);
}
