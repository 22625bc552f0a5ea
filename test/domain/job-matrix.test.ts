import { describe, expect, it } from 'vitest';
import type { JobCommand } from '../../src/domain/job/commands.ts';
import { jobDecider } from '../../src/domain/job/decider.ts';
import type { JobEvent } from '../../src/domain/job/events.ts';
import type { JobStatus } from '../../src/domain/job/state.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { fold, type Happened } from '../support/given.ts';
import {
  boom,
  cancelled,
  cancelRequested,
  completed,
  deadLettered,
  enqueued,
  failed,
  jobData,
  purged,
  retried,
  started,
  voided,
} from '../support/job-events.ts';

type Situation = JobStatus | 'none' | 'voided' | 'asked_to_stop';

const DEADLINE = 2000;
const waiting: readonly Happened<JobEvent>[] = [[1000, enqueued({ deadlineAt: DEADLINE, timeoutMs: 900 })]];
const running: readonly Happened<JobEvent>[] = [...waiting, [1100, started()]];
const dead: readonly Happened<JobEvent>[] = [
  ...running,
  [1200, failed({ willRetry: false })],
  [1200, deadLettered()],
];

/** How a job comes to be in each situation. Now is 2000: deadline and timeout are up, the lease is L1. */
const situations: Readonly<Record<Situation, readonly Happened<JobEvent>[]>> = {
  none: [],
  voided: [[1000, voided]],
  scheduled: [[1000, enqueued({ runAt: 3000, deadlineAt: DEADLINE })]],
  queued: waiting,
  running,
  asked_to_stop: [...running, [1400, cancelRequested()]],
  retrying: [...running, [1200, failed()], [1200, retried()]],
  completed: [...running, [1300, completed()]],
  cancelled: [...waiting, [1300, cancelled()]],
  dead_lettered: dead,
  purged: [...dead, [1300, purged()]],
};

const at = 2000;
const held = { leaseId: 'L1', at } as const;

const commands: Readonly<Record<string, JobCommand>> = {
  EnqueueJob: { type: 'EnqueueJob', job: jobData(), at },
  StartJob: { type: 'StartJob', workerId: 'w2', leaseId: 'L2', leaseMs: 30_000, at: 1999 },
  'StartJob after the deadline': { type: 'StartJob', workerId: 'w2', leaseId: 'L2', leaseMs: 30_000, at },
  CompleteJob: { type: 'CompleteJob', ...held },
  FailJob: { type: 'FailJob', error: boom, fatal: false, jitter: 0, ...held },
  'FailJob fatal': { type: 'FailJob', error: boom, fatal: true, jitter: 0, ...held },
  ReleaseJob: { type: 'ReleaseJob', reason: 'deploy', ...held },
  AcknowledgeCancel: { type: 'AcknowledgeCancel', ...held },
  ExpireLease: { type: 'ExpireLease', jitter: 0, ...held },
  TimeOutAttempt: { type: 'TimeOutAttempt', jitter: 0, ...held },
  'TimeOutAttempt early': { type: 'TimeOutAttempt', jitter: 0, leaseId: 'L1', at: at - 1 },
  ExpireDeadline: { type: 'ExpireDeadline', at },
  'ExpireDeadline early': { type: 'ExpireDeadline', at: at - 1 },
  CancelJob: { type: 'CancelJob', graceMs: 5000, at },
  ForceCancel: { type: 'ForceCancel', at },
  'ForceCancel early': { type: 'ForceCancel', at: 1499 },
  RetryJob: { type: 'RetryJob', resetAttempts: false, at },
  AmendJob: { type: 'AmendJob', payload: asJsonText('{"to":"bob"}'), at },
  ReplayDeadLetter: { type: 'ReplayDeadLetter', at },
  PurgeDeadLetter: { type: 'PurgeDeadLetter', reason: 'test data', at },
};

const everywhere = (outcome: string): Record<Situation, string> => ({
  none: 'job_not_found',
  voided: 'job_not_found',
  scheduled: outcome,
  queued: outcome,
  running: outcome,
  asked_to_stop: outcome,
  retrying: outcome,
  completed: outcome,
  cancelled: outcome,
  dead_lettered: outcome,
  purged: outcome,
});

const finished = { completed: 'job_finished', cancelled: 'job_finished', purged: 'job_finished' } as const;

/** Event types, `nothing` for a repeat, or the reason of the refusal: for each command, in each situation. */
const expected: Readonly<Record<string, Readonly<Record<Situation, string>>>> = {
  EnqueueJob: { ...everywhere('job_exists'), none: 'JobEnqueued', voided: 'job_exists' },
  StartJob: {
    ...everywhere('JobStarted'),
    scheduled: 'job_not_due',
    retrying: 'job_not_due',
    running: 'job_running',
    asked_to_stop: 'job_running',
    dead_lettered: 'job_dead_lettered',
    ...finished,
  },
  'StartJob after the deadline': {
    ...everywhere('job_finished'),
    running: 'job_running',
    asked_to_stop: 'job_running',
    dead_lettered: 'job_dead_lettered',
  },
  CompleteJob: {
    ...everywhere('lease_lost'),
    running: 'JobCompleted',
    asked_to_stop: 'JobCompleted',
    completed: 'nothing',
  },
  FailJob: {
    ...everywhere('lease_lost'),
    running: 'JobFailed + JobRetried',
    asked_to_stop: 'JobFailed + JobCancelled',
    retrying: 'nothing',
    dead_lettered: 'nothing',
    purged: 'nothing',
  },
  'FailJob fatal': {
    ...everywhere('lease_lost'),
    running: 'JobFailed + JobDeadLettered',
    asked_to_stop: 'JobFailed + JobCancelled',
    retrying: 'nothing',
    dead_lettered: 'nothing',
    purged: 'nothing',
  },
  ReleaseJob: {
    ...everywhere('lease_lost'),
    running: 'JobReleased',
    asked_to_stop: 'JobReleased + JobCancelled',
  },
  AcknowledgeCancel: {
    ...everywhere('lease_lost'),
    running: 'cancel_not_requested',
    asked_to_stop: 'JobCancelled',
  },
  ExpireLease: {
    ...everywhere('lease_lost'),
    running: 'LeaseExpired + JobRetried',
    asked_to_stop: 'LeaseExpired + JobCancelled',
  },
  TimeOutAttempt: {
    ...everywhere('lease_lost'),
    running: 'JobFailed + JobRetried',
    asked_to_stop: 'JobFailed + JobCancelled',
  },
  'TimeOutAttempt early': {
    ...everywhere('lease_lost'),
    running: 'job_not_due',
    asked_to_stop: 'job_not_due',
  },
  ExpireDeadline: {
    ...everywhere('JobDeadLettered'),
    running: 'JobFailed + JobDeadLettered',
    asked_to_stop: 'JobFailed + JobCancelled',
    dead_lettered: 'job_dead_lettered',
    ...finished,
  },
  'ExpireDeadline early': {
    ...everywhere('job_not_due'),
    dead_lettered: 'job_dead_lettered',
    ...finished,
  },
  CancelJob: {
    ...everywhere('JobCancelled'),
    running: 'JobCancelRequested',
    asked_to_stop: 'nothing',
    dead_lettered: 'job_dead_lettered',
    ...finished,
    cancelled: 'nothing',
  },
  ForceCancel: {
    ...everywhere('cancel_not_requested'),
    asked_to_stop: 'JobCancelled',
    dead_lettered: 'job_dead_lettered',
    ...finished,
    cancelled: 'nothing',
  },
  'ForceCancel early': {
    ...everywhere('cancel_not_requested'),
    asked_to_stop: 'job_not_due',
    dead_lettered: 'job_dead_lettered',
    ...finished,
    cancelled: 'nothing',
  },
  RetryJob: {
    ...everywhere('job_finished'),
    scheduled: 'JobRetried',
    retrying: 'JobRetried',
    queued: 'job_waiting',
    running: 'job_running',
    asked_to_stop: 'job_running',
    cancelled: 'JobRetried',
    dead_lettered: 'DeadLetterReplayed',
  },
  AmendJob: {
    ...everywhere('JobAmended'),
    running: 'job_running',
    asked_to_stop: 'job_running',
    dead_lettered: 'job_dead_lettered',
    ...finished,
  },
  ReplayDeadLetter: { ...everywhere('not_dead_lettered'), dead_lettered: 'DeadLetterReplayed' },
  PurgeDeadLetter: {
    ...everywhere('not_dead_lettered'),
    dead_lettered: 'DeadLetterPurged',
    purged: 'nothing',
  },
};

const voidJob: JobCommand = { type: 'VoidJob', reason: 'never created', at };

function outcome(command: JobCommand, situation: Situation): string {
  const decision = jobDecider.decide(command, fold(jobDecider, situations[situation]));
  if (decision.kind === 'rejected') return decision.reason;
  return decision.events.map((event) => event.type).join(' + ') || 'nothing';
}

const allSituations = Object.keys(situations) as Situation[];

describe.each(Object.entries(commands))('%s', (name, command) => {
  it.each(allSituations)('on a job that is %s', (situation) => {
    expect(outcome(command, situation)).toBe(expected[name]?.[situation]);
  });
});

describe('VoidJob', () => {
  it('fences off a job that does not exist, once, and never one that does', () => {
    const outcomes = allSituations.map((situation) => outcome(voidJob, situation));
    const [none, again, ...existing] = outcomes;
    expect(none).toBe('JobVoided');
    expect(again).toBe('nothing');
    expect(new Set(existing)).toEqual(new Set(['job_exists']));
  });
});

describe('the situations', () => {
  it.each(allSituations)('%s is reached by its history', (situation) => {
    const status = situation === 'asked_to_stop' ? 'running' : situation;
    expect(fold(jobDecider, situations[situation]).status).toBe(status);
  });
});
