import { afterEach, expect, it, vi } from 'vitest';
import { AppendCoalescer, type WriterAnswer } from '../../src/adapters/event-log/append-coalescer.ts';
import type { AppendRequest } from '../../src/commands/ports.ts';
import { newEvent } from '../conformance/log-events.ts';
import { waitUntil } from '../support/wait-until.ts';

const begin = (stream: string): AppendRequest => ({
  stream,
  expectedRevision: -1,
  events: [newEvent()],
});

const flood = (count: number, tenantId = 'flood') =>
  Array.from({ length: count }, (_, n) => begin(`job-${tenantId}.${n}`));

afterEach(() => {
  vi.useRealTimers();
});

/** A log whose calls return when they are told to. */
function heldLog() {
  const calls: { readonly streams: readonly string[]; readonly finish: () => void }[] = [];
  const write = (requests: readonly AppendRequest[]) =>
    new Promise<readonly WriterAnswer[]>((resolve) => {
      const answers = requests.map(() => ({ kind: 'appended', revision: 0, position: 1n }) as const);
      calls.push({ streams: requests.map(({ stream }) => stream), finish: () => resolve(answers) });
    });
  return { calls, write };
}

it('an append of one tenant goes out with the next call, however many of another wait', async () => {
  const { calls, write } = heldLog();
  const coalescer = new AppendCoalescer(write);
  const flooded = coalescer.append(flood(10_000));
  await waitUntil('the flood has all calls there are', () => calls.length === 3);
  const small = coalescer.append([begin('job-small.1')]);
  calls[0]?.finish();
  await waitUntil('the next call', () => calls.length === 4);
  expect(calls[3]?.streams).toContain('job-small.1');
  calls[3]?.finish();
  await small;
  for (let next = 1; next < 21; next += 1) {
    await waitUntil(`call ${next}`, () => calls.length > next);
    calls[next]?.finish();
  }
  expect(await flooded).toHaveLength(10_000);
});

it('what rests goes out later without being asked, and all of it before the log is closed', async () => {
  let written = 0;
  let largest = 0;
  const coalescer = new AppendCoalescer(
    async (requests) => {
      written += requests.length;
      largest = Math.max(largest, requests.length);
      return requests.map(() => ({ kind: 'appended', revision: 0, position: 1n }));
    },
    { activity: { enqueued: () => undefined, hasOthers: () => true } },
  );
  const flooded = coalescer.append(flood(2_000));
  await coalescer.close();
  expect(written).toBe(2_000);
  expect(largest).toBe(100);
  expect(await flooded).toHaveLength(2_000);
});

it('a short rest is not made longer by a long one that began before it', async () => {
  vi.useFakeTimers();
  const { calls, write } = heldLog();
  const activity = { enqueued: () => undefined, hasOthers: () => true };
  const coalescer = new AppendCoalescer(write, { activity });
  const flooded = [coalescer.append(flood(150, 'slow'))];
  await vi.advanceTimersByTimeAsync(190);
  flooded.push(coalescer.append(flood(150, 'quick')));
  await vi.advanceTimersByTimeAsync(10);
  calls[0]?.finish();
  await vi.advanceTimersByTimeAsync(1);
  calls[1]?.finish();
  await vi.advanceTimersByTimeAsync(50);
  expect(calls[2]?.streams[0]).toMatch(/^job-quick/);
  calls[2]?.finish();
  await vi.advanceTimersByTimeAsync(300);
  calls[3]?.finish();
  expect(await Promise.all(flooded)).toHaveLength(2);
});
