import { createHook } from 'node:async_hooks';
import { expect, it } from 'vitest';
import { PendingRetries } from '../../src/adapters/kafka/pending-retries.ts';

it('waits for room at a cost that does not grow with the square of what is pending', async () => {
  const pending = new PendingRetries(0n);
  const retries = Array.from({ length: 1_000 }, () => Promise.withResolvers<void>());
  retries.forEach(({ promise }, offset) => {
    void pending.add(BigInt(offset), promise);
  });
  let promises = 0;
  const counting = createHook({
    init(_id, type) {
      if (type === 'PROMISE') promises += 1;
    },
  }).enable();
  let isRoom = false;
  const room = pending.below(500).then(() => {
    isRoom = true;
  });
  for (const { resolve } of retries.slice(0, 500)) {
    resolve();
    await new Promise(setImmediate);
  }
  expect(isRoom).toBe(false);
  retries[500]?.resolve();
  await room;
  counting.disable();
  expect(pending.size).toBe(499);
  expect(promises).toBeLessThan(10_000);
});
