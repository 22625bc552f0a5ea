import { fork } from 'node:child_process';
import { once } from 'node:events';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { fitsPattern, namesItsTopics } from '../../src/commands/inbound/subscription.ts';

it.each([
  ['order.placed', 'order.placed', true],
  ['order.placed', 'orderXplaced', false],
  ['order.placed', 'order.placed.v1', false],
  ['order.*', 'order.placed', true],
  ['order.*', 'order.', true],
  ['order.*', 'order.placed.v1', false],
  ['order.*.v1', 'order.placed.v1', true],
  ['order.pl*', 'order.placed', true],
  ['*', 'order', true],
  ['*', 'order.placed', false],
  ['**', 'order.placed.v1', true],
  ['**', '', true],
  ['order.**', 'order.placed.v1', true],
  ['**.v1', 'order.placed.v1', true],
  ['**.v1', 'order.placed.v2', false],
  ['order.***', 'order.placed.v1', true],
  ['*.placed*.**1', 'order.placed-late.v1', true],
  ['*', '*', true],
  ['a*b', 'a*', false],
])('pattern %s on %s: %s', (pattern, name, fits) => {
  expect(fitsPattern(pattern, name)).toBe(fits);
});

it.each([
  ['orders', true],
  ['shop.*', true],
  ['shop.**', true],
  ['shop-2_eu.orders.placed**', true],
  ['**', false],
  ['*', false],
  ['*.orders', false],
  ['**.orders', false],
  ['shop*', false],
  ['s**', false],
  ['.orders', false],
  ['.**', false],
])('pattern %s names the first part of its topics: %s', (pattern, names) => {
  expect(namesItsTopics(pattern)).toBe(names);
});

it('a pattern means what the same regular expression means', () => {
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*', '**'), maxLength: 8 });
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 });
  const expressionOf = (text: string): RegExp => {
    const parts = text.split(/(\*+)/).map((part) => {
      if (part === '*') return '[^.]*';
      return part.startsWith('*') ? '.*' : part.replaceAll('.', '\\.');
    });
    return new RegExp(`^${parts.join('')}$`);
  };
  fc.assert(
    fc.property(pattern, name, (written, given) => {
      expect(fitsPattern(written, given)).toBe(expressionOf(written).test(given));
    }),
    { numRuns: 2_000 },
  );
});

it('no pattern keeps the process from anything else, however its stars stand', async () => {
  // In a process of its own: what never ends would end no time limit here, either.
  await using stack = new AsyncDisposableStack();
  const child = stack.adopt(
    fork(new URL('../support/hard-pattern.ts', import.meta.url), { stdio: 'ignore' }),
    (process) => void process.kill('SIGKILL'),
  );
  const [answer] = await once(child, 'message', { signal: AbortSignal.timeout(20_000) });
  expect(answer).toBe(false);
});
