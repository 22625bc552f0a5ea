import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CorruptEventError, eventCodec, olderVersion } from '../../src/commands/event-codec.ts';
import { jobCodec } from '../../src/commands/job-codec.ts';
import { asJsonText, type JsonText } from '../../src/domain/json-text.ts';
import type { EventMetadata } from '../../src/domain/metadata.ts';
import { enqueued } from '../support/job-events.ts';

const metadata: EventMetadata = {
  tenantId: 'acme',
  actor: { id: 'k1', auth: 'api_key' },
  correlationId: 'c1',
  causationId: 'c2',
  occurredAt: 1000,
};

describe('the payload of an event', () => {
  const payload = asJsonText('{ "b":1.0, "a":12345678901234567890, "a":null }');

  it('is stored as its own text, outside the data', () => {
    const stored = jobCodec.encode(enqueued({ payload }), metadata);
    expect(stored.content).toBe(payload);
    expect(JSON.parse(stored.data)).not.toHaveProperty('payload');
  });

  it('comes back to the byte', () => {
    const stored = jobCodec.encode(enqueued({ payload }), metadata);
    expect(jobCodec.decode(stored)).toMatchObject({ data: { payload } });
  });

  it('reads as null when a reader left the content out', () => {
    const { content: _, ...stored } = jobCodec.encode(enqueued({ payload }), metadata);
    expect(jobCodec.decode(stored)).toMatchObject({ data: { payload: 'null' } });
  });

  it('is its own for each of several events with the same data', () => {
    const stored = jobCodec.encode(enqueued({ payload }), metadata);
    const other = { ...stored, content: asJsonText('2') };
    const { content: _, ...without } = stored;
    const payloads = [stored, other, without].map((each) => jobCodec.decode(each)?.data);
    expect(payloads).toMatchObject([{ payload }, { payload: '2' }, { payload: 'null' }]);
  });

  it('stays absent where it may be', () => {
    const decoded = jobCodec.decode({ type: 'JobAmended', schemaVersion: 1, data: '{"priority":1}' });
    expect(decoded?.data).not.toHaveProperty('payload');
  });
});

describe('what the codec does not know', () => {
  it('is answered with undefined for a type', () => {
    expect(jobCodec.decode({ type: 'JobTeleported', schemaVersion: 1, data: '{}' })).toBeUndefined();
    expect(jobCodec.decode({ type: 'constructor', schemaVersion: 1, data: '{}' })).toBeUndefined();
  });

  it('is answered with undefined for a version yet to come', () => {
    expect(jobCodec.decode({ type: 'JobVoided', schemaVersion: 2, data: '{"reason":"x"}' })).toBeUndefined();
  });

  it('is left out, for a field that a later version added', () => {
    const data = '{"reason":"x","colour":"red"}';
    expect(jobCodec.decode({ type: 'JobVoided', schemaVersion: 1, data })).toEqual({
      type: 'JobVoided',
      data: { reason: 'x' },
    });
  });
});

it.each([
  ['broken JSON', '{"reason":'],
  ['a missing field', '{}'],
  ['a field of another type', '{"reason":1}'],
])('data with %s is reported as corrupt', (_name, data) => {
  expect(() => jobCodec.decode({ type: 'JobVoided', schemaVersion: 1, data })).toThrow(CorruptEventError);
});

describe('an event whose shape changed twice', () => {
  interface Greeted {
    readonly type: 'Greeted';
    readonly data: {
      readonly firstName: string;
      readonly language: string;
      readonly payload?: JsonText | undefined;
    };
  }
  const codec = eventCodec<Greeted>({
    Greeted: {
      schema: z.object({ firstName: z.string(), language: z.string() }),
      older: [
        olderVersion(z.object({ name: z.string() }), ({ name }) => ({ name, language: 'en' })),
        olderVersion(z.object({ name: z.string(), language: z.string() }), ({ name, language }) => ({
          firstName: name,
          language,
        })),
      ],
      content: { field: 'payload', required: false },
    },
  });
  const ada = { firstName: 'Ada', language: 'en' };

  it.each([
    [1, '{"name":"Ada"}'],
    [2, '{"name":"Ada","language":"en"}'],
    [3, '{"firstName":"Ada","language":"en"}'],
  ])('reads version %i as the newest', (schemaVersion, data) => {
    expect(codec.decode({ type: 'Greeted', schemaVersion, data })).toEqual({ type: 'Greeted', data: ada });
  });

  it('keeps its content through every version', () => {
    const content = asJsonText('1.0');
    const decoded = codec.decode({ type: 'Greeted', schemaVersion: 1, data: '{"name":"Ada"}', content });
    expect(decoded).toEqual({ type: 'Greeted', data: { ...ada, payload: '1.0' } });
  });

  it('is checked against the version that it claims to be', () => {
    expect(() => codec.decode({ type: 'Greeted', schemaVersion: 2, data: '{"name":"Ada"}' })).toThrow(
      CorruptEventError,
    );
  });

  it('is written in the newest version', () => {
    expect(codec.encode({ type: 'Greeted', data: ada }, metadata).schemaVersion).toBe(3);
  });
});
