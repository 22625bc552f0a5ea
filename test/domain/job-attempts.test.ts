import { describe, expect, it } from 'vitest';
import type { JobCommand } from '../../src/domain/job/commands.ts';
import { jobDecider } from '../../src/domain/job/decider.ts';
import type { JobError, JobEvent } from '../../src/domain/job/events.ts';
import { STANDARD_STEPS_MS } from '../../src/domain/job/retry-policy.ts';
import { ATTEMPT_TIMED_OUT, DEADLINE_PASSED, LEASE_EXPIRED } from '../../src/domain/job/service-errors.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { fold, type Happened, scenarios } from '../support/given.ts';
import {
  boom,
  cancelled,
  cancelRequested,
  completed,
  deadLettered,
  enqueued,
  failed,
  leaseExpired,
  released,
  retried,
  started,
} from '../support/job-events.ts';

const start: JobCommand = {
  type: 'StartJob',
  workerId: 'w1',
  leaseId: 'L1',
  leaseMs: 30_000,
  at: 2000,
};
const fail = (more: Partial<Extract<JobCommand, { type: 'FailJob' }>> = {}): JobCommand => ({
  type: 'FailJob',
  leaseId: 'L1',
  error: boom,
  fatal: false,
  jitter: 0,
  at: 2000,
  ...more,
});
const running = (data: Parameters<typeof enqueued>[0] = {}): readonly Happened<JobEvent>[] => [
  [1000, enqueued(data)],
  [1100, started()],
];
const runningAgain: readonly Happened<JobEvent>[] = [
  ...running(),
  [1200, failed()],
  [1200, retried({ runAt: 1300 })],
  [1400, started({ attempt: 2, leaseId: 'L2' })],
];

describe('an attempt starts', () => {
  scenarios(jobDecider, {
    'with the number after the spent ones': {
      given: [...running(), [1200, failed()], [1200, retried({ runAt: 2000 })]],
      when: { ...start, leaseId: 'L2' },
      gives: [started({ attempt: 2, leaseId: 'L2' })],
    },
    'with the same number after a release': {
      given: [...running(), [1200, released()]],
      when: { ...start, leaseId: 'L2' },
      gives: [started({ attempt: 1, leaseId: 'L2' })],
    },
    'exactly when its time comes': {
      given: [[1000, enqueued({ runAt: 2000 })]],
      when: start,
      gives: [started()],
    },
    'not a millisecond earlier': {
      given: [[1000, enqueued({ runAt: 2001 })]],
      when: start,
      gives: 'job_not_due',
    },
    'once for the same lease': { given: running(), when: start, gives: [] },
    'never again for a lease that ended': {
      given: [...running(), [1200, released()]],
      when: start,
      gives: 'lease_lost',
    },
  });
});

describe('an attempt completes', () => {
  scenarios(jobDecider, {
    'with its result': {
      given: running(),
      when: {
        type: 'CompleteJob',
        leaseId: 'L1',
        result: asJsonText('{"n":12345678901234567890}'),
        at: 2000,
      },
      gives: [completed({ result: asJsonText('{"n":12345678901234567890}') })],
    },
    'although it was asked to stop': {
      given: [...running(), [1500, cancelRequested()]],
      when: { type: 'CompleteJob', leaseId: 'L1', at: 2000 },
      gives: [completed()],
    },
    'only by the one who has the lease': {
      given: runningAgain,
      when: { type: 'CompleteJob', leaseId: 'L1', at: 2000 },
      gives: 'lease_lost',
    },
  });
});

describe('an attempt fails', () => {
  scenarios(jobDecider, {
    'and is retried after the delay of its policy': {
      given: running({ retry: { kind: 'fixed', delayMs: 500 } }),
      when: fail(),
      gives: [failed(), retried({ runAt: 2500 })],
    },
    'and exponential delays grow with the attempt': {
      given: [
        [
          1000,
          enqueued({ maxAttempts: 9, retry: { kind: 'exponential', baseMs: 100, factor: 2, maxMs: 9000 } }),
        ],
        [1000, retried({ attempt: 4, spentAttempts: 3, runAt: 1000 })],
        [1100, started({ attempt: 4 })],
      ],
      when: fail({ jitter: 0.5 }),
      gives: [failed({ attempt: 4 }), retried({ attempt: 5, spentAttempts: 4, runAt: 2600 })],
    },
    'and the standard steps are followed': {
      given: running({ retry: { kind: 'steps', stepsMs: STANDARD_STEPS_MS } }),
      when: fail(),
      gives: [failed(), retried({ runAt: 3000 })],
    },
    'and the worker may say when to try again': {
      given: running({ retry: { kind: 'none' } }),
      when: fail({ retryAfterMs: 60_000 }),
      gives: [failed(), retried({ runAt: 62_000 })],
    },
    'for the last time when its attempts are spent': {
      given: running({ maxAttempts: 1 }),
      when: fail({ retryAfterMs: 60_000 }),
      gives: [failed({ willRetry: false }), deadLettered({ reason: 'attempts_spent' })],
    },
    'for the last time when the policy is not to retry': {
      given: running({ retry: { kind: 'none' } }),
      when: fail(),
      gives: [failed({ willRetry: false }), deadLettered({ reason: 'attempts_spent' })],
    },
    'for good when the worker says that it is fatal': {
      given: running(),
      when: fail({ fatal: true, retryAfterMs: 60_000 }),
      gives: [failed({ willRetry: false }), deadLettered()],
    },
    'and is cancelled when that was asked for': {
      given: [...running(), [1500, cancelRequested()]],
      when: fail(),
      gives: [failed({ willRetry: false }), cancelled()],
    },
    'once: said again it changes nothing, even while the next attempt runs': {
      given: runningAgain,
      when: fail(),
      gives: [],
    },
    'but not when it had completed': {
      given: [...running(), [1200, completed()]],
      when: fail(),
      gives: 'lease_lost',
    },
    'but not when it had timed out: the worker came too late': {
      given: [
        ...running(),
        [1200, failed({ error: ATTEMPT_TIMED_OUT, cause: 'timeout' })],
        [1200, retried()],
      ],
      when: fail(),
      gives: 'lease_lost',
    },
  });
});

describe('an attempt is ended by the service', () => {
  const lost = (error: JobError) => failed({ error, willRetry: false, cause: 'deadline' });
  scenarios(jobDecider, {
    'when its lease expired: the attempt is spent': {
      given: running(),
      when: { type: 'ExpireLease', leaseId: 'L1', jitter: 0, at: 40_000 },
      gives: [leaseExpired(), retried({ runAt: 41_000 })],
    },
    'when its lease expired for the last time': {
      given: running({ maxAttempts: 1 }),
      when: { type: 'ExpireLease', leaseId: 'L1', jitter: 0, at: 40_000 },
      gives: [leaseExpired(), deadLettered({ reason: 'attempts_spent', error: LEASE_EXPIRED })],
    },
    'but an expiry noticed twice counts once': {
      given: [...running(), [1200, leaseExpired()], [1200, retried()]],
      when: { type: 'ExpireLease', leaseId: 'L1', jitter: 0, at: 40_000 },
      gives: [],
    },
    'when it took longer than its timeout': {
      given: running({ timeoutMs: 900 }),
      when: { type: 'TimeOutAttempt', leaseId: 'L1', jitter: 0, at: 2000 },
      gives: [failed({ error: ATTEMPT_TIMED_OUT, cause: 'timeout' }), retried({ runAt: 3000 })],
    },
    'but not by a timeout that the job does not have': {
      given: running(),
      when: { type: 'TimeOutAttempt', leaseId: 'L1', jitter: 0, at: 2000 },
      gives: 'job_not_due',
    },
    'when the deadline of the job passed': {
      given: running({ deadlineAt: 2000 }),
      when: { type: 'ExpireDeadline', at: 2000 },
      gives: [lost(DEADLINE_PASSED), deadLettered({ reason: 'deadline_passed', error: DEADLINE_PASSED })],
    },
    'but not before the deadline': {
      given: running({ deadlineAt: 2000 }),
      when: { type: 'ExpireDeadline', at: 1999 },
      gives: 'job_not_due',
    },
    'and never by a deadline that the job does not have': {
      given: running(),
      when: { type: 'ExpireDeadline', at: 2000 },
      gives: 'job_not_due',
    },
    'and a deadline passes once': {
      given: [
        [1000, enqueued({ deadlineAt: 2000 })],
        [2000, deadLettered({ reason: 'deadline_passed' })],
      ],
      when: { type: 'ExpireDeadline', at: 2000 },
      gives: [],
    },
  });
});

describe('an attempt is given back', () => {
  scenarios(jobDecider, {
    unspent: {
      given: running(),
      when: { type: 'ReleaseJob', leaseId: 'L1', reason: 'deploy', at: 2000 },
      gives: [released()],
    },
    'to be taken up later': {
      given: running(),
      when: { type: 'ReleaseJob', leaseId: 'L1', reason: 'rate limited', runAt: 9000, at: 2000 },
      gives: [released({ reason: 'rate limited', runAt: 9000 })],
    },
    once: {
      given: [...running(), [1200, released()]],
      when: { type: 'ReleaseJob', leaseId: 'L1', reason: 'deploy', at: 2000 },
      gives: [],
    },
  });

  it('and waits for the time that the worker named', () => {
    const job = fold(jobDecider, [...running(), [1200, released({ runAt: 9000 })]]);
    expect(job).toMatchObject({ status: 'scheduled', runAt: 9000, attempt: 1, spentAttempts: 0 });
  });
});
