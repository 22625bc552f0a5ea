import { expect, it } from 'vitest';
import { FeedCheckpoint } from '../../src/adapters/kafka/feed-checkpoint.ts';

const page = (to: bigint, messages = 1) => ({ to, messages, undelivered: [] });

function writing() {
  const writes: { readonly from: bigint; readonly to: bigint; readonly messages: number }[] = [];
  const open: PromiseWithResolvers<void>[] = [];
  let failures = 0;
  const checkpoint = new FeedCheckpoint(0n, {
    write: (from, { to, messages }) => {
      writes.push({ from, to, messages });
      const written = Promise.withResolvers<void>();
      open.push(written);
      return written.promise;
    },
    failed: () => {
      failures += 1;
    },
  });
  return { checkpoint, writes, open, failures: () => failures };
}

it('lets pages go on while it is written, and writes what came meanwhile at once', async () => {
  const { checkpoint, writes, open } = writing();
  await checkpoint.note(page(1n));
  await checkpoint.note(page(2n));
  await checkpoint.note(page(3n));
  expect(writes).toEqual([{ from: 0n, to: 1n, messages: 1 }]);
  open[0]?.resolve();
  const settled = checkpoint.settled();
  await expect.poll(() => writes.length).toBe(2);
  open[1]?.resolve();
  await settled;
  expect(writes).toEqual([
    { from: 0n, to: 1n, messages: 1 },
    { from: 1n, to: 3n, messages: 2 },
  ]);
});

it('holds pages up when too much would have to be sent again', async () => {
  const { checkpoint, open } = writing();
  await checkpoint.note(page(1n));
  let isThrough = false;
  const noted = checkpoint.note(page(2n, 5_000)).then(() => {
    isThrough = true;
  });
  await Promise.resolve();
  expect(isThrough).toBe(false);
  open[0]?.resolve();
  await expect.poll(() => open.length).toBe(2);
  open[1]?.resolve();
  await noted;
});

it('says when a write has failed, and writes nothing after it', async () => {
  const { checkpoint, writes, open, failures } = writing();
  await checkpoint.note(page(1n));
  await checkpoint.note(page(2n));
  open[0]?.reject(new Error('replaced'));
  await expect(checkpoint.settled()).rejects.toThrow('replaced');
  await expect(checkpoint.note(page(3n))).rejects.toThrow('replaced');
  expect(failures()).toBe(1);
  expect(writes).toHaveLength(1);
});
