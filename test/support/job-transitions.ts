import type { JobCommand } from '../../src/domain/job/commands.ts';
import { jobDecider } from '../../src/domain/job/decider.ts';
import type { Job } from '../../src/domain/job/state.ts';
import { asJsonText } from '../../src/domain/json-text.ts';
import { boom, jobData } from './job-events.ts';

export interface Transition {
  readonly from: Job['status'];
  readonly command: JobCommand['type'];
  /** Event types joined by ` + `. */
  readonly events: string;
  readonly to: Job['status'];
}

const STEP_MS = 1000;
/** Longest chain of commands tried; every status is reached after four. */
const MAX_STEPS = 7;

/** Everything that the decider can do to a job, found by trying every kind of command on every kind of job it leads to. */
export function jobTransitions(): readonly Transition[] {
  const found = new Map<string, Transition>();
  const seen = new Set<string>();
  let jobs: readonly Job[] = [jobDecider.initial()];
  for (let step = 1; step <= MAX_STEPS && jobs.length > 0; step += 1) {
    const at = step * STEP_MS;
    const next: Job[] = [];
    for (const job of jobs) {
      for (const command of everyCommand(job, at)) {
        const decision = jobDecider.decide(command, job);
        if (decision.kind === 'rejected' || decision.events.length === 0) continue;
        const after = decision.events.reduce((state, event) => jobDecider.evolve(state, event, at), job);
        const events = decision.events.map((event) => event.type).join(' + ');
        const transition = { from: job.status, command: command.type, events, to: after.status };
        found.set(JSON.stringify(transition), transition);
        const kind = kindOf(after, at + STEP_MS);
        if (!seen.has(kind)) next.push(after);
        seen.add(kind);
      }
    }
    jobs = next;
  }
  return [...found.values()];
}

/** Jobs that differ in nothing but names and exact times are of one kind. */
function kindOf(job: Job, nextAt: number): string {
  if (job.status === 'none' || job.status === 'voided') return job.status;
  return JSON.stringify([
    job.status,
    job.spentAttempts,
    job.maxAttempts,
    job.retry,
    job.runAt <= nextAt,
    job.deadlineAt !== undefined && job.deadlineAt <= nextAt,
    job.deadlineAt === undefined,
    job.cancelRequest !== undefined,
  ]);
}

function everyCommand(job: Job, at: number): readonly JobCommand[] {
  const leaseId = ('lease' in job && job.lease?.leaseId) || 'none';
  const held = { leaseId, jitter: 0.5, at };
  const starts = [undefined, at + STEP_MS / 2, at + 1_000_000];
  const enqueues = [1, 2].flatMap((maxAttempts) =>
    [0, 5000].flatMap((delayMs) =>
      [undefined, 3 * STEP_MS].flatMap((deadlineAt) =>
        starts.map((runAt): JobCommand => {
          const retry = { kind: 'fixed', delayMs } as const;
          return {
            type: 'EnqueueJob',
            job: jobData({ maxAttempts, retry, deadlineAt, runAt, timeoutMs: 500 }),
            at,
          };
        }),
      ),
    ),
  );
  return [
    ...enqueues,
    { type: 'StartJob', workerId: 'w1', leaseId: `L${at}`, leaseMs: 30_000, at },
    { type: 'CompleteJob', ...held },
    { type: 'FailJob', error: boom, fatal: false, ...held },
    { type: 'FailJob', error: boom, fatal: true, ...held },
    { type: 'AcknowledgeCancel', ...held },
    { type: 'ExpireLease', ...held },
    { type: 'TimeOutAttempt', ...held },
    { type: 'ExpireDeadline', at },
    { type: 'CancelJob', graceMs: 0, at },
    { type: 'ForceCancel', at },
    { type: 'AmendJob', payload: asJsonText(`${at}`), at },
    { type: 'PurgeDeadLetter', reason: 'test data', at },
    { type: 'VoidJob', reason: 'never created', at },
    ...starts.flatMap((runAt): readonly JobCommand[] => [
      { type: 'ReleaseJob', reason: 'deploy', runAt, ...held },
      { type: 'RetryJob', resetAttempts: false, runAt, at },
      { type: 'AmendJob', runAt: runAt ?? at, at },
      { type: 'ReplayDeadLetter', runAt, at },
    ]),
  ];
}
