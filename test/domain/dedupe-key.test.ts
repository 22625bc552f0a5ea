import { expect, test } from 'vitest';
import { type DedupeKey, dedupeKeyDecider } from '../../src/domain/dedupe-key/decider.ts';
import type { DedupeKeyEvent } from '../../src/domain/dedupe-key/events.ts';
import { holdsDedupeKey } from '../../src/domain/dedupe-key/holds-key.ts';
import { jobDecider } from '../../src/domain/job/decider.ts';
import { fold } from '../support/given.ts';
import { cancelled, enqueued } from '../support/job-events.ts';

const taken = (jobId: string): DedupeKeyEvent => ({ type: 'DedupeKeyTaken', data: { jobId } });
const given = (...events: readonly DedupeKeyEvent[]): DedupeKey =>
  events.reduce(dedupeKeyDecider.evolve, dedupeKeyDecider.initial());
const take = (jobId: string, insteadOf?: string) => ({ type: 'TakeDedupeKey', jobId, insteadOf }) as const;

test('a free key is taken', () => {
  expect(dedupeKeyDecider.decide(take('a'), given())).toEqual({ kind: 'accepted', events: [taken('a')] });
});

test('taking a key that one has already changes nothing', () => {
  expect(dedupeKeyDecider.decide(take('a'), given(taken('a')))).toEqual({ kind: 'accepted', events: [] });
});

test('the key of another job is refused', () => {
  expect(dedupeKeyDecider.decide(take('b'), given(taken('a')))).toEqual({
    kind: 'rejected',
    reason: 'key_taken',
  });
});

test('the key of a job known to be finished changes hands', () => {
  expect(dedupeKeyDecider.decide(take('b', 'a'), given(taken('a')))).toEqual({
    kind: 'accepted',
    events: [taken('b')],
  });
});

test('knowing that an earlier holder finished says nothing about the present one', () => {
  expect(dedupeKeyDecider.decide(take('c', 'a'), given(taken('a'), taken('b')))).toEqual({
    kind: 'rejected',
    reason: 'key_taken',
  });
});

test('the last event alone gives the same state as all of them', () => {
  expect(given(taken('a'), taken('b'))).toEqual(given(taken('b')));
});

test('a job keeps its key until nothing more can happen to it', () => {
  expect(['scheduled', 'queued', 'running', 'retrying', 'dead_lettered'].map(holds)).toEqual(
    Array(5).fill(true),
  );
  expect(['completed', 'cancelled', 'purged'].map(holds)).toEqual(Array(3).fill(false));
});

test('a cancelled job does not come back when it had a key: another may have it', () => {
  const retryOf = (job: ReturnType<typeof enqueued>) =>
    jobDecider.decide(
      { type: 'RetryJob', resetAttempts: false, at: 3000 },
      fold(jobDecider, [
        [1000, job],
        [2000, cancelled()],
      ]),
    );
  expect(retryOf(enqueued({ dedupeKey: 'k' }))).toEqual({ kind: 'rejected', reason: 'job_finished' });
  expect(retryOf(enqueued()).kind).toBe('accepted');
});

function holds(status: string): boolean {
  return holdsDedupeKey(status as Parameters<typeof holdsDedupeKey>[0]);
}
