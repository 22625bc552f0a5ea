import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { actionCodec, actionEventDefinitions } from '../../src/commands/action-codec.ts';
import { apiKeyCodec, apiKeyEventDefinitions } from '../../src/commands/api-key-codec.ts';
import { dedupeKeyCodec, dedupeKeyEventDefinitions } from '../../src/commands/dedupe-key-codec.ts';
import type { OlderVersion } from '../../src/commands/event-codec.ts';
import { jobCodec, jobEventDefinitions } from '../../src/commands/job-codec.ts';
import { queueCodec, queueEventDefinitions } from '../../src/commands/queue-codec.ts';
import { tenantQuotaCodec, tenantQuotaEventDefinitions } from '../../src/commands/tenant-quota-codec.ts';
import { asJsonText } from '../../src/domain/json-text.ts';

const codecs = {
  job: jobCodec,
  queue: queueCodec,
  'dedupe-key': dedupeKeyCodec,
  'tenant-quota': tenantQuotaCodec,
  'api-key': apiKeyCodec,
  action: actionCodec,
};

/** An event version as logs hold it, and what it must mean for ever. Such a file is added, and never changed. */
interface Fixture {
  readonly aggregate: keyof typeof codecs;
  readonly type: string;
  readonly schemaVersion: number;
  readonly examples: readonly {
    readonly stored: { readonly data: string; readonly content?: string };
    readonly event: unknown;
  }[];
}

const folder = new URL('../fixtures/events/', import.meta.url);
const fixtures = readdirSync(folder).map((name) => ({
  name,
  fixture: JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Fixture,
}));

describe('events that logs may hold', () => {
  it.each(fixtures)('$name still means what it meant', ({ fixture }) => {
    expect(fixture.examples.length).toBeGreaterThan(0);
    for (const { stored, event } of fixture.examples) {
      const content = stored.content === undefined ? undefined : asJsonText(stored.content);
      const decoded = codecs[fixture.aggregate].decode({ ...fixture, data: stored.data, content });
      expect(decoded).toEqual(event);
    }
  });

  const definitions: Record<string, { readonly older?: readonly OlderVersion[] }> = {
    ...jobEventDefinitions,
    ...queueEventDefinitions,
    ...dedupeKeyEventDefinitions,
    ...apiKeyEventDefinitions,
    ...actionEventDefinitions,
    ...tenantQuotaEventDefinitions,
  };
  it.each(Object.entries(definitions))(
    '%s has a fixture for each of its versions',
    (type, { older = [] }) => {
      const stored = fixtures.map(({ fixture }) => fixture).filter((fixture) => fixture.type === type);
      const versions = stored.map((fixture) => fixture.schemaVersion).sort((a, b) => a - b);
      expect(versions).toEqual([...older, type].map((_, index) => index + 1));
    },
  );

  it.each(fixtures)('$name is named after what is in it', ({ name, fixture }) => {
    expect(name).toBe(`${fixture.type}.v${fixture.schemaVersion}.json`);
  });
});
