import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jobCodec, jobEventDefinitions } from '../../src/commands/job-codec.ts';
import type { JobCommand } from '../../src/domain/job/commands.ts';
import { jobDecider } from '../../src/domain/job/decider.ts';
import type { JobEvent } from '../../src/domain/job/events.ts';
import type { ExistingJob, Job } from '../../src/domain/job/state.ts';
import type { EventMetadata } from '../../src/domain/metadata.ts';
import { lives } from '../support/arbitrary-jobs.ts';

interface Step {
  readonly command: JobCommand;
  readonly before: Job;
  readonly events: readonly JobEvent[];
  readonly after: Job;
}

/** Carries the commands out one after the other; refusals leave the job as it is. */
function live(commands: readonly JobCommand[]): readonly Step[] {
  let job = jobDecider.initial();
  return commands.map((command) => {
    const before = job;
    const decision = jobDecider.decide(command, before);
    const events = decision.kind === 'accepted' ? decision.events : [];
    for (const event of events) job = jobDecider.evolve(job, event, command.at);
    return { command, before, events, after: job };
  });
}

const exists = (job: Job): job is ExistingJob => job.status !== 'none' && job.status !== 'voided';
const waits = (job: ExistingJob) => ['scheduled', 'queued', 'retrying'].includes(job.status);

function always(name: string, check: (step: Step) => void): void {
  it(name, () => {
    fc.assert(
      fc.property(lives, (commands) => live(commands).forEach(check)),
      { numRuns: 1000 },
    );
  });
}

function alwaysOfAJob(name: string, check: (after: ExistingJob, before: Job, step: Step) => void): void {
  always(name, (step) => {
    if (exists(step.after)) check(step.after, step.before, step);
  });
}

alwaysOfAJob('a job has a lease exactly while it runs', (job) => {
  expect(job.lease !== undefined).toBe(job.status === 'running');
});

alwaysOfAJob('only a running job is asked to stop', (job) => {
  if (job.cancelRequest) expect(job.status).toBe('running');
});

alwaysOfAJob(
  'no more attempts are spent than there are, and a waiting or running job has one left',
  (job) => {
    expect(job.spentAttempts).toBeGreaterThanOrEqual(0);
    expect(job.spentAttempts).toBeLessThanOrEqual(job.maxAttempts);
    if (waits(job) || job.status === 'running') expect(job.attempt).toBe(job.spentAttempts + 1);
    if (waits(job) || job.status === 'running') expect(job.attempt).toBeLessThanOrEqual(job.maxAttempts);
  },
);

alwaysOfAJob('attempts count upwards until a person starts the count afresh', (job, before, { events }) => {
  const afresh = events.some(
    (event) =>
      event.type === 'DeadLetterReplayed' || (event.type === 'JobRetried' && event.data.by === 'person'),
  );
  if (exists(before) && !afresh) expect(job.spentAttempts).toBeGreaterThanOrEqual(before.spentAttempts);
  if (exists(before) && !afresh && waits(job)) expect(job.attempt).toBeGreaterThanOrEqual(before.attempt);
});

alwaysOfAJob('a finished job says when, and only a finished one', (job) => {
  const finished = !waits(job) && job.status !== 'running';
  expect(job.finishedAt !== undefined).toBe(finished);
});

always('a finished job stays as it is, but for the ways back', ({ command, before, events }) => {
  const waysBack: Readonly<Record<string, readonly JobCommand['type'][]>> = {
    completed: [],
    purged: [],
    voided: [],
    cancelled: ['RetryJob'],
    dead_lettered: ['RetryJob', 'ReplayDeadLetter', 'PurgeDeadLetter'],
  };
  const ways = waysBack[before.status];
  if (ways && !ways.includes(command.type)) expect(events).toEqual([]);
});

alwaysOfAJob(
  'scheduled and retrying jobs have their time ahead when they become so',
  (job, _before, step) => {
    const waitsForTime = job.status === 'scheduled' || job.status === 'retrying';
    if (step.events.length > 0 && waitsForTime && step.command.type !== 'AmendJob')
      expect(job.runAt).toBeGreaterThan(step.command.at);
  },
);

always('deciding the same command again writes nothing', ({ command, after }) => {
  const again = jobDecider.decide(command, after);
  expect(again.kind === 'accepted' ? again.events : []).toEqual([]);
});

always('events refer to the attempt that they end', ({ before, events }) => {
  for (const event of events) {
    if (['JobCompleted', 'JobFailed', 'JobReleased', 'LeaseExpired'].includes(event.type)) {
      expect(event.data).toMatchObject({ attempt: exists(before) ? before.attempt : Number.NaN });
    }
  }
});

always('a failure says truly whether it will be retried', ({ events }) => {
  const failure = events.find((event) => event.type === 'JobFailed');
  if (failure) expect(failure.data.willRetry).toBe(events.some((event) => event.type === 'JobRetried'));
});

const metadata: EventMetadata = {
  tenantId: 'acme',
  actor: { id: 'k1', auth: 'api_key' },
  correlationId: 'c1',
  causationId: 'c2',
  occurredAt: 1000,
};

always('every event comes back from its stored form as it was, and leads to the same job', (step) => {
  let job = step.before;
  for (const event of step.events) {
    const stored = jobCodec.encode(event, metadata);
    const decoded = jobCodec.decode(stored);
    expect(decoded).toEqual(event);
    if (decoded) job = jobDecider.evolve(job, decoded, step.command.at);
  }
  expect(job).toEqual(step.after);
});

it('the lives tried know every event, so the properties speak of all of them', () => {
  const steps = fc.sample(lives, { numRuns: 1000, seed: 1 }).flatMap(live);
  const seen = new Set(steps.flatMap((step) => step.events.map((event) => event.type)));
  expect([...seen].sort()).toEqual(Object.keys(jobEventDefinitions).sort());
});

it('events in any order, even impossible ones, fold without an exception', () => {
  const anyEvents = fc.array(lives, { minLength: 1, maxLength: 3 }).chain((several) => {
    const events = several.flatMap((commands) => live(commands).flatMap((step) => step.events));
    return fc.shuffledSubarray(events);
  });
  fc.assert(
    fc.property(anyEvents, (events) => {
      const job = events.reduce<Job>((state, event) => jobDecider.evolve(state, event, 1000), {
        status: 'none',
      });
      expect(job.status).toBeTypeOf('string');
    }),
  );
});
