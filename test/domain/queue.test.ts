import { describe, expect, it } from 'vitest';
import { queueDecider } from '../../src/domain/queue/decider.ts';
import type { QueueEvent } from '../../src/domain/queue/events.ts';
import { isPaused } from '../../src/domain/queue/state.ts';
import { fold, type Happened, scenarios } from '../support/given.ts';

const paused = (data: Extract<QueueEvent, { type: 'QueuePaused' }>['data'] = {}): QueueEvent => ({
  type: 'QueuePaused',
  data,
});
const resumed: QueueEvent = { type: 'QueueResumed', data: {} };
const limited = (concurrencyLimit: number | null): QueueEvent => ({
  type: 'QueueLimitChanged',
  data: { concurrencyLimit },
});
const forNow: readonly Happened<QueueEvent>[] = [[1000, paused({ reason: 'deploy', until: 5000 })]];

describe('a queue', () => {
  scenarios(queueDecider, {
    'is paused for a reason and a time': {
      given: [],
      when: { type: 'PauseQueue', reason: 'deploy', until: 5000, at: 1000 },
      gives: [paused({ reason: 'deploy', until: 5000 })],
    },
    'is paused once': {
      given: forNow,
      when: { type: 'PauseQueue', reason: 'deploy', until: 5000, at: 2000 },
      gives: [],
    },
    'is paused for longer': {
      given: forNow,
      when: { type: 'PauseQueue', reason: 'deploy', at: 2000 },
      gives: [paused({ reason: 'deploy' })],
    },
    'is resumed': {
      given: forNow,
      when: { type: 'ResumeQueue', reason: 'deployed', at: 2000 },
      gives: [{ type: 'QueueResumed', data: { reason: 'deployed' } }],
    },
    'is resumed once': {
      given: [...forNow, [2000, resumed]],
      when: { type: 'ResumeQueue', at: 3000 },
      gives: [],
    },
    'needs no resuming when its pause is over': {
      given: forNow,
      when: { type: 'ResumeQueue', at: 5000 },
      gives: [],
    },
    'is limited': {
      given: [],
      when: { type: 'LimitQueue', concurrencyLimit: 4, at: 1000 },
      gives: [limited(4)],
    },
    'is limited for a reason': {
      given: [],
      when: { type: 'LimitQueue', concurrencyLimit: 4, reason: 'deploy', at: 1000 },
      gives: [{ type: 'QueueLimitChanged', data: { concurrencyLimit: 4, reason: 'deploy' } }],
    },
    'is limited once': {
      given: [[1000, limited(4)]],
      when: { type: 'LimitQueue', concurrencyLimit: 4, reason: 'deploy', at: 2000 },
      gives: [],
    },
    'loses its limit': {
      given: [[1000, limited(4)]],
      when: { type: 'LimitQueue', concurrencyLimit: null, at: 2000 },
      gives: [limited(null)],
    },
    'has no limit to lose': {
      given: [],
      when: { type: 'LimitQueue', concurrencyLimit: null, at: 2000 },
      gives: [],
    },
  });
});

describe('a pause', () => {
  const pausedAt = (history: readonly Happened<QueueEvent>[], now: number) =>
    isPaused(fold(queueDecider, history), now);

  it('lasts until its end', () => {
    expect([pausedAt(forNow, 4999), pausedAt(forNow, 5000)]).toEqual([true, false]);
  });

  it('without an end lasts until somebody resumes the queue', () => {
    const history: readonly Happened<QueueEvent>[] = [[1000, paused()]];
    expect(pausedAt(history, Number.MAX_SAFE_INTEGER)).toBe(true);
    expect(pausedAt([...history, [2000, resumed]], 2000)).toBe(false);
  });

  it('that is changed began when it began', () => {
    expect(fold(queueDecider, [...forNow, [2000, paused()]]).pause).toMatchObject({ since: 1000 });
  });

  it('after one that was over begins anew', () => {
    expect(fold(queueDecider, [...forNow, [6000, paused()]]).pause).toMatchObject({ since: 6000 });
  });

  it('leaves the limit alone', () => {
    expect(fold(queueDecider, [[500, limited(4)], ...forNow, [2000, resumed]])).toEqual({
      concurrencyLimit: 4,
    });
  });
});
