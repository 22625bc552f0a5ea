import { test } from 'vitest';
import { HandClock, type LogForGates } from './gated.ts';

/**
 * The `it` of tests at the quota gate. Each is given a log of its own, that log as further processes have it
 * (`subject.open()`), and a clock that only the test moves.
 */
export const gateTest = (make: () => Promise<LogForGates>) =>
  test
    // biome-ignore lint/correctness/noEmptyPattern: Vitest reads from the pattern what a fixture needs
    .extend('subject', async ({}, { onCleanup }) => {
      const subject = await make();
      onCleanup(() => subject[Symbol.asyncDispose]());
      return subject;
    })
    .extend('log', ({ subject }) => subject.open())
    .extend('clock', () => new HandClock());
