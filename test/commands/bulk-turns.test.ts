import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, expect, it, vi } from 'vitest';
import { BulkTurns } from '../../src/commands/bulk-turns.ts';
import { LogOverloadedError } from '../../src/commands/ports.ts';
import type { EnqueueResult } from '../../src/commands/use-cases.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { CALLER } from '../support/dispatch.ts';

const DONE: readonly EnqueueResult[] = [];

function given() {
  const underWay: { readonly tenantId: string; readonly end: PromiseWithResolvers<typeof DONE> }[] = [];
  const enqueueJobs = new BulkTurns().enqueueJobs(({ tenantId }) => {
    const end = Promise.withResolvers<typeof DONE>();
    underWay.push({ tenantId, end });
    return end.promise;
  });
  const request = { type: 'test', payload: asJsonText('{}') };
  const enqueue = (tenantId: string, jobs: number) =>
    enqueueJobs(
      { ...CALLER, tenantId },
      Array.from({ length: jobs }, () => request),
    );
  return { underWay, enqueue };
}

afterEach(() => {
  vi.useRealTimers();
});

it('four bulks of a tenant go at once, and each that ends lets in the next', async () => {
  const { underWay, enqueue } = given();
  const calls = Array.from({ length: 6 }, () => enqueue('flood', 500));
  await nextTurn();
  expect(underWay).toHaveLength(4);
  underWay[0]?.end.resolve(DONE);
  await calls[0];
  await nextTurn();
  expect(underWay).toHaveLength(5);
  underWay[1]?.end.reject(new Error('failed'));
  await expect(calls[1]).rejects.toThrow('failed');
  await nextTurn();
  expect(underWay).toHaveLength(6);
  for (const { end } of underWay) end.resolve(DONE);
  await Promise.allSettled(calls);
  void enqueue('flood', 500);
  await nextTurn();
  expect(underWay).toHaveLength(7);
});

it('bulks of other tenants, and calls with few jobs, do not wait', async () => {
  const { underWay, enqueue } = given();
  for (let n = 0; n < 10; n += 1) void enqueue('flood', 500);
  void enqueue('flood', 1);
  void enqueue('globex', 500);
  await nextTurn();
  expect(underWay.map(({ tenantId }) => tenantId).sort()).toEqual([...Array(5).fill('flood'), 'globex']);
});

it('more jobs than may wait are turned away, and nobody waits for ever', async () => {
  vi.useFakeTimers();
  const { underWay, enqueue } = given();
  for (let n = 0; n < 4; n += 1) void enqueue('flood', 1_000);
  const waiting = Array.from({ length: 20 }, () => enqueue('flood', 1_000));
  const outcomes = Promise.allSettled(waiting);
  await expect(enqueue('flood', 20)).rejects.toBeInstanceOf(LogOverloadedError);
  await vi.advanceTimersByTimeAsync(10_000);
  for (const outcome of await outcomes)
    expect(outcome).toMatchObject({ reason: { retryAfterMs: expect.any(Number) } });
  expect(underWay).toHaveLength(4);
  void enqueue('flood', 1_000);
  underWay[0]?.end.resolve(DONE);
  await vi.advanceTimersByTimeAsync(1);
  expect(underWay).toHaveLength(5);
});
