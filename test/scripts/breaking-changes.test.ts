import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { breakingChanges, type JsonSchema } from '../../scripts/breaking-changes.ts';

const RELEASED = {
  $id: 'urn:x',
  type: 'object',
  description: 'an event',
  properties: {
    id: { type: 'string' },
    status: { type: 'string', enum: ['queued', 'running'] },
    attempt: { type: 'integer', minimum: 1 },
    error: { type: 'object', properties: { message: { type: 'string' } }, required: ['message'] },
    tags: { type: 'array', items: { type: 'string', enum: ['a', 'b'] } },
    payload: {},
  },
  required: ['id', 'status'],
} as const;

const { properties } = RELEASED;
const { status: _status, ...withoutStatus } = properties;

const withProperties = (changed: JsonSchema): JsonSchema => ({
  ...RELEASED,
  properties: { ...properties, ...changed },
});

const GOOD: readonly (readonly [string, JsonSchema])[] = [
  ['nothing', RELEASED],
  ['a field comes in as an optional one', withProperties({ reason: { type: 'string' } })],
  [
    'an enum gains a word',
    withProperties({ status: { type: 'string', enum: ['done', 'running', 'queued'] } }),
  ],
  [
    'an enum in a list gains a word',
    withProperties({ tags: { type: 'array', items: { type: 'string', enum: ['a', 'b', 'c'] } } }),
  ],
  ['the words about a field', withProperties({ id: { type: 'string', description: 'whose' } })],
  ['the words about all of it', { ...RELEASED, description: 'another', title: 'Event' }],
  ['the order of what is required', { ...RELEASED, required: ['id', 'status'] }],
];

const BAD: readonly (readonly [string, JsonSchema, readonly string[]])[] = [
  [
    'a field is gone',
    { ...RELEASED, properties: withoutStatus, required: ['id'] },
    ['data.status is gone', 'data.status is no longer required'],
  ],
  [
    'a field is renamed',
    { ...RELEASED, properties: { ...withoutStatus, state: properties.status }, required: ['id', 'state'] },
    ['data.status is gone', 'data.state is now required', 'data.status is no longer required'],
  ],
  [
    'a field is of another type',
    withProperties({ id: { type: 'integer' } }),
    ['data.id changed its type from "string" to "integer"'],
  ],
  [
    'a field of any type gets one',
    withProperties({ payload: { type: 'object' } }),
    ['data.payload changed its type from undefined to "object"'],
  ],
  [
    'an optional field becomes required',
    { ...RELEASED, required: ['id', 'status', 'attempt'] },
    ['data.attempt is now required'],
  ],
  [
    'a new field is required',
    { ...withProperties({ by: { type: 'string' } }), required: ['id', 'status', 'by'] },
    ['data.by is now required'],
  ],
  [
    'a required field becomes optional',
    { ...RELEASED, required: ['id'] },
    ['data.status is no longer required'],
  ],
  [
    'nothing is required any more',
    { ...RELEASED, required: undefined },
    ['data.id is no longer required', 'data.status is no longer required'],
  ],
  [
    'an enum loses a word',
    withProperties({ status: { type: 'string', enum: ['queued', 'gone'] } }),
    ['data.status can no longer be "running"'],
  ],
  [
    'an enum in a list loses a word',
    withProperties({ tags: { type: 'array', items: { type: 'string', enum: ['a'] } } }),
    ['data.tags[] can no longer be "b"'],
  ],
  [
    'free text becomes an enum',
    withProperties({ id: { type: 'string', enum: ['a'] } }),
    ['data.id is an enum in one of the versions only'],
  ],
  [
    'a field inside a field is gone',
    withProperties({ error: { type: 'object', properties: {} } }),
    ['data.error.message is gone', 'data.error.message is no longer required'],
  ],
  [
    'a limit changes',
    withProperties({ attempt: { type: 'integer', minimum: 5 } }),
    ['data.attempt changed its minimum from 1 to 5'],
  ],
  [
    'other fields are shut out',
    { ...RELEASED, additionalProperties: false },
    ['data changed its additionalProperties from undefined to false'],
  ],
  [
    'another schema takes the name',
    { ...RELEASED, $id: 'urn:y' },
    ['data changed its $id from "urn:x" to "urn:y"'],
  ],
];

describe('against a released schema', () => {
  it.each(GOOD)('nothing breaks when %s changes', (_, current) => {
    expect(breakingChanges(RELEASED, current)).toEqual([]);
  });

  it.each(BAD)('it is refused that %s', (_, current, changes) => {
    expect([...breakingChanges(RELEASED, current)].sort()).toEqual([...changes].sort());
  });

  it('every field of every released event is watched', () => {
    const folder = new URL('../../schemas/released/', import.meta.url);
    const names = readdirSync(folder).filter((name) => name.endsWith('.json'));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) {
      const schema = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as typeof RELEASED;
      for (const field of Object.keys(schema.properties)) {
        const { [field]: _, ...others } = schema.properties as Record<string, unknown>;
        expect(breakingChanges(schema, { ...schema, properties: others })).toEqual([`data.${field} is gone`]);
      }
    }
  });
});
