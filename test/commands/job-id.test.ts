import { expect, test } from 'vitest';
import { systemIds } from '../../src/adapters/system.ts';
import { deriveJobId, isJobId } from '../../src/commands/job-id.ts';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ids = systemIds();

test('derived ids are UUIDv7 of the time of their seed, always the same, and sort by index', () => {
  const seed = ids.next();
  const derived = Array.from({ length: 1_000 }, (_, index) => deriveJobId(seed, index));
  expect(derived.every((id) => UUID_V7.test(id) && id.startsWith(seed.slice(0, 13)))).toBe(true);
  expect(derived.map((_, index) => deriveJobId(seed, index))).toEqual(derived);
  expect(derived.toSorted()).toEqual(derived);
  expect(new Set(derived).size).toBe(1_000);
});

test('seeds drawn in the same millisecond give different ids', () => {
  const seeds = Array.from({ length: 500 }, () => ids.next());
  expect(new Set(seeds.map((seed) => deriveJobId(seed, 0))).size).toBe(500);
});

test('only lower-case UUIDs are job ids', () => {
  expect(isJobId(ids.next())).toBe(true);
  expect(isJobId(ids.next().toUpperCase())).toBe(false);
  expect(isJobId('')).toBe(false);
  expect(() => deriveJobId('seed', 0)).toThrow(TypeError);
  expect(() => deriveJobId(ids.next(), 4_096)).toThrow(RangeError);
});
