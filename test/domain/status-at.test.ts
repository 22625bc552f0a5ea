import { expect, it } from 'vitest';
import { statusAt } from '../../src/domain/job/status-at.ts';

it.each([
  ['scheduled', 999, 'scheduled'],
  ['scheduled', 1000, 'queued'],
  ['retrying', 999, 'retrying'],
  ['retrying', 1000, 'queued'],
  ['running', 1000, 'running'],
  ['completed', 1000, 'completed'],
] as const)('a job stored as %s for 1000 is at %i %s', (status, now, seen) => {
  expect(statusAt({ status, runAt: 1000 }, now)).toBe(seen);
});
