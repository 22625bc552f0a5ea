import { describe, expect, it } from 'vitest';
import type { JobCommand } from '../../src/domain/job/commands.ts';
import { jobDecider } from '../../src/domain/job/decider.ts';
import type { JobEvent } from '../../src/domain/job/events.ts';
import { DEADLINE_PASSED } from '../../src/domain/job/service-errors.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { fold, type Happened, scenarios } from '../support/given.ts';
import {
  amended,
  cancelled,
  cancelRequested,
  deadLettered,
  enqueued,
  failed,
  purged,
  replayed,
  retried,
  started,
} from '../support/job-events.ts';

const queued: readonly Happened<JobEvent>[] = [[1000, enqueued({ tags: ['a', 'b'] })]];
const running: readonly Happened<JobEvent>[] = [...queued, [1100, started()]];
const asked: readonly Happened<JobEvent>[] = [...running, [1200, cancelRequested({ forceAt: 5000 })]];
const backingOff: readonly Happened<JobEvent>[] = [
  ...running,
  [1200, failed()],
  [1200, retried({ runAt: 8000 })],
];
const dead: readonly Happened<JobEvent>[] = [
  ...running,
  [1200, failed({ willRetry: false })],
  [1200, deadLettered()],
];
const edited = asJsonText('{"to":"bob","n":1e400}');

const cancel = (graceMs: number): JobCommand => ({
  type: 'CancelJob',
  reason: 'changed my mind',
  graceMs,
  at: 2000,
});
const retry = (more: Partial<Extract<JobCommand, { type: 'RetryJob' }>> = {}): JobCommand => ({
  type: 'RetryJob',
  resetAttempts: false,
  at: 2000,
  ...more,
});
const byPerson = (data: Parameters<typeof retried>[0]) => retried({ by: 'person', runAt: 2000, ...data });

describe('cancelling', () => {
  scenarios(jobDecider, {
    'a waiting job ends it': { given: queued, when: cancel(5000), gives: [cancelled()] },
    'a running job asks the worker': {
      given: running,
      when: cancel(5000),
      gives: [cancelRequested({ forceAt: 7000 })],
    },
    'again with more grace changes nothing': { given: asked, when: cancel(3001), gives: [] },
    'again with less grace brings the end forward': {
      given: asked,
      when: cancel(0),
      gives: [cancelRequested({ forceAt: 2000 })],
    },
    'is acknowledged by the worker': {
      given: asked,
      when: { type: 'AcknowledgeCancel', leaseId: 'L1', at: 2000 },
      gives: [cancelled()],
    },
    'is forced after the grace time': {
      given: asked,
      when: { type: 'ForceCancel', at: 5000 },
      gives: [cancelled({ forced: true })],
    },
    'is not forced before': { given: asked, when: { type: 'ForceCancel', at: 4999 }, gives: 'job_not_due' },
    'is acknowledged too late but to the same end': {
      given: [...asked, [5000, cancelled({ forced: true })]],
      when: { type: 'AcknowledgeCancel', leaseId: 'L1', at: 5001 },
      gives: [],
    },
  });

  it('takes the lease away', () => {
    const job = fold(jobDecider, [...asked, [5000, cancelled({ forced: true })]]);
    expect(job).toMatchObject({ status: 'cancelled', finishedAt: 5000, reason: 'changed my mind' });
    expect(job).not.toHaveProperty('lease.leaseId');
  });
});

describe('retrying', () => {
  scenarios(jobDecider, {
    'a job that backs off brings it forward': {
      given: backingOff,
      when: retry({ reason: 'fixed' }),
      gives: [byPerson({ reason: 'fixed' })],
    },
    'with a fresh count starts from the first attempt': {
      given: backingOff,
      when: retry({ resetAttempts: true }),
      gives: [byPerson({ attempt: 1, spentAttempts: 0 })],
    },
    'to the time that it waits for anyway changes nothing': {
      given: backingOff,
      when: retry({ runAt: 8000 }),
      gives: [],
    },
    'a job whose backoff is over is refused: it waits for a worker': {
      given: backingOff,
      when: retry({ at: 8000 }),
      gives: 'job_waiting',
    },
    'a cancelled job brings it back, edited': {
      given: [...queued, [1200, cancelled()]],
      when: retry({ payload: edited }),
      gives: [byPerson({ attempt: 1, spentAttempts: 0, payload: edited, revives: true })],
    },
    'a job without attempts left starts the count afresh': {
      given: [
        [1000, enqueued({ maxAttempts: 1 })],
        [1100, started()],
        [1200, cancelRequested()],
        [1300, failed({ willRetry: false })],
        [1300, cancelled()],
      ],
      when: retry(),
      gives: [byPerson({ attempt: 1, spentAttempts: 0, revives: true })],
    },
    'a dead letter replays it': {
      given: dead,
      when: retry({ payload: edited, reason: 'fixed' }),
      gives: [replayed({ payload: edited, reason: 'fixed' })],
    },
  });
});

describe('amending', () => {
  scenarios(jobDecider, {
    'says only what changes': {
      given: queued,
      when: { type: 'AmendJob', priority: 5, tags: ['a', 'c'], runAt: 1000, at: 2000 },
      gives: [amended({ tags: ['a', 'c'] })],
    },
    'everything at once, for a reason': {
      given: queued,
      when: {
        type: 'AmendJob',
        priority: 1,
        tags: [],
        runAt: 9000,
        payload: edited,
        reason: 'vip',
        at: 2000,
      },
      gives: [amended({ priority: 1, tags: [], runAt: 9000, payload: edited, reason: 'vip' })],
    },
    'to what it is already changes nothing': {
      given: queued,
      when: { type: 'AmendJob', priority: 5, tags: ['a', 'b'], reason: 'vip', at: 2000 },
      gives: [],
    },
  });

  it.each([
    ['a queued job to later schedules it', queued, 9000, 'scheduled'],
    ['a job that backs off leaves it retrying', backingOff, 9000, 'retrying'],
    ['a waiting job to a time that has come queues it', backingOff, 2000, 'queued'],
  ] as const)('the time of %s', (_name, history, runAt, status) => {
    expect(fold(jobDecider, [...history, [2000, amended({ runAt })]])).toMatchObject({ status, runAt });
  });
});

describe('a dead letter', () => {
  scenarios(jobDecider, {
    'is replayed as it was': {
      given: dead,
      when: { type: 'ReplayDeadLetter', at: 2000 },
      gives: [replayed()],
    },
    'is replayed edited, to another queue, later, for a reason': {
      given: dead,
      when: {
        type: 'ReplayDeadLetter',
        payload: edited,
        queue: 'slow',
        runAt: 9000,
        reason: 'typo',
        at: 2000,
      },
      gives: [replayed({ payload: edited, queue: 'slow', runAt: 9000, reason: 'typo' })],
    },
    'is replayed once': {
      given: [...dead, [1300, replayed()]],
      when: { type: 'ReplayDeadLetter', at: 2000 },
      gives: 'not_dead_lettered',
    },
    'is purged for a reason': {
      given: dead,
      when: { type: 'PurgeDeadLetter', reason: 'test data', at: 2000 },
      gives: [purged()],
    },
    'is not replayed after it was purged': {
      given: [...dead, [1300, purged()]],
      when: { type: 'ReplayDeadLetter', at: 2000 },
      gives: 'not_dead_lettered',
    },
  });

  it('that is replayed has all of its attempts again', () => {
    expect(fold(jobDecider, [...dead, [1300, replayed({ queue: 'slow', payload: edited })]])).toMatchObject({
      status: 'queued',
      queue: 'slow',
      payload: edited,
      attempt: 1,
      spentAttempts: 0,
      finishedAt: undefined,
      reason: undefined,
    });
  });

  const expired: readonly Happened<JobEvent>[] = [
    [1000, enqueued({ deadlineAt: 1500 })],
    [1500, deadLettered({ attempt: 0, reason: 'deadline_passed', error: DEADLINE_PASSED })],
  ];

  it('of a deadline is replayed without that deadline', () => {
    const job = fold(jobDecider, [...expired, [2000, replayed()]]);
    expect(job).toMatchObject({ status: 'queued', deadlineAt: undefined });
  });

  it('of a deadline says so, instead of the last failure', () => {
    expect(fold(jobDecider, expired)).toMatchObject({ attempt: 1, lastError: DEADLINE_PASSED });
  });

  it('keeps a deadline that can still be met', () => {
    const history: readonly Happened<JobEvent>[] = [
      [1000, enqueued({ deadlineAt: 9000 })],
      [1100, started()],
      [1200, failed({ willRetry: false })],
      [1200, deadLettered()],
      [1300, replayed()],
    ];
    expect(fold(jobDecider, history)).toMatchObject({ status: 'queued', deadlineAt: 9000 });
  });

  it('knows why it died, and of what', () => {
    expect(fold(jobDecider, dead)).toMatchObject({
      status: 'dead_lettered',
      reason: 'fatal_error',
      finishedAt: 1200,
      lastError: { message: 'boom' },
    });
  });
});
