import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import { jobEventDefinitions } from '../../src/commands/job-codec.ts';
import { LOG_START } from '../../src/commands/ports.ts';
import { queueEventDefinitions } from '../../src/commands/queue-codec.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { queueStream } from '../../src/domain/queue/stream.ts';

/** An event version as logs hold it, and what it must mean for ever. Such a file is added, and never changed. */
interface Fixture {
  readonly aggregate: 'job' | 'queue';
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

const streams = {
  job: jobStream('acme', '01890a5d-ac96-774b-bcce-b302099a8057'),
  queue: queueStream('acme', 'hooks'),
};

function decode({ aggregate, type, schemaVersion }: Fixture, stored: { data: string; content?: string }) {
  return decodeEvent({
    stream: streams[aggregate],
    type,
    schemaVersion,
    data: stored.data,
    content: stored.content === undefined ? undefined : asJsonText(stored.content),
    revision: 0,
    position: LOG_START,
    recordedAt: 0,
    metadata: {
      tenantId: 'acme',
      actor: { id: 'k1', auth: 'api_key' },
      correlationId: 'c1',
      causationId: 'c2',
      occurredAt: 0,
    },
  });
}

describe('events that logs may hold', () => {
  it.each(fixtures)('$name still means what it meant', ({ fixture }) => {
    expect(fixture.examples.length).toBeGreaterThan(0);
    for (const { stored, event } of fixture.examples) {
      const decoded = decode(fixture, stored);
      expect(decoded?.aggregate).toBe(fixture.aggregate);
      expect(decoded?.event).toEqual(event);
    }
  });

  const definitions = { ...jobEventDefinitions, ...queueEventDefinitions };
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
