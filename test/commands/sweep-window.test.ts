import { expect, it } from 'vitest';
import { SweepWindow } from '../../src/commands/sweep-window.ts';

const NOW = 1_700_000_000_000;
const EVERYTHING = -1;

it('looks at everything first, then only at what is new, and at everything once a minute', () => {
  const window = new SweepWindow();
  expect(window.from(NOW)).toBe(EVERYTHING);
  window.sweptUpTo(NOW);
  expect(window.from(NOW + 1_000)).toBe(NOW - 3_000);
  window.sweptUpTo(NOW + 1_000);
  expect(window.from(NOW + 60_000)).toBe(EVERYTHING);
});

it('looks at everything again until it is swept', () => {
  const window = new SweepWindow();
  window.from(NOW);
  expect(window.from(NOW + 20)).toBe(EVERYTHING);
});

it('overlooks nothing when the clock goes back', () => {
  const window = new SweepWindow();
  window.sweptUpTo(NOW);
  const earlier = NOW - 3_600_000;
  expect(window.from(earlier)).toBe(EVERYTHING);
  window.sweptUpTo(earlier);
  expect(window.from(earlier + 1_000)).toBe(earlier - 3_000);
  window.sweptUpTo(earlier + 1_000);
  expect(window.from(earlier + 60_000)).toBe(EVERYTHING);
});
