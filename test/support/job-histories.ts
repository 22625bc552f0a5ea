import fc from 'fast-check';
import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import type { JobCommand } from '../../src/domain/job/commands.ts';
import { jobDecider } from '../../src/domain/job/decider.ts';
import type { JobEvent } from '../../src/domain/job/events.ts';
import type { Job } from '../../src/domain/job/state.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import { lives } from './arbitrary-jobs.ts';

/** One event of a job's life with the states around it. */
export interface HistoryStep {
  readonly entry: Extract<DecodedEvent, { readonly aggregate: 'job' }>;
  readonly before: Job;
  readonly after: Job;
}

export interface History {
  readonly tenantId: string;
  readonly jobId: string;
  readonly steps: readonly HistoryStep[];
}

const TENANTS = ['acme', 'globex'];
const name = fc.constantFrom('default', 'mail', 'reports');

/** Names that the edge would let through; every other text as troublesome as it comes. */
function tidy(command: JobCommand, queue: string): JobCommand {
  switch (command.type) {
    case 'EnqueueJob':
      return { ...command, job: { ...command.job, type: `${queue}.send`, queue } };
    case 'ReplayDeadLetter':
      return { ...command, queue: command.queue === undefined ? undefined : queue };
    case 'StartJob':
      return { ...command, workerId: `w${command.leaseId}` };
    default:
      return command;
  }
}

const history = (jobNumber: number): fc.Arbitrary<History> =>
  fc
    .tuple(lives, fc.constantFrom(...TENANTS), fc.infiniteStream(name))
    .map(([commands, tenantId, queues]) => {
      const jobId = jobIdOf(jobNumber);
      return {
        tenantId,
        jobId,
        steps: live(
          tenantId,
          jobId,
          commands.map((c) => tidy(c, nextOf(queues))),
        ),
      };
    });

/** Lives of several jobs of two tenants. */
export const histories: fc.Arbitrary<readonly History[]> = fc
  .integer({ min: 1, max: 6 })
  .chain((jobs) => fc.tuple(...Array.from({ length: jobs }, (_, index) => history(index))));

/** The same for tenants of another name, so that runs do not see each other's rows. */
export const renamed = (all: readonly History[], suffix: string): readonly History[] =>
  all.map(({ tenantId: name, jobId, steps }) => {
    const tenantId = name + suffix;
    const stream = jobStream(tenantId, jobId);
    return {
      tenantId,
      jobId,
      steps: steps.map((step) => ({ ...step, entry: { ...step.entry, tenantId, stream } })),
    };
  });

/** A UUIDv7 that grows with the number. */
export const jobIdOf = (jobNumber: number): string =>
  `00000000-03e8-7000-8000-${jobNumber.toString(16).padStart(12, '0')}`;

/** The events of all jobs as one log: those of a job in order, jobs mixed as the numbers say. */
export function interleave(all: readonly History[], picks: Iterator<number>): readonly DecodedEvent[] {
  const waiting = all.map(({ steps }) => steps.map(({ entry }) => entry)).filter((rest) => rest.length > 0);
  const log: DecodedEvent[] = [];
  while (waiting.length > 0) {
    const index = Number(picks.next().value) % waiting.length;
    const entry = waiting[index]?.shift();
    if (entry) log.push({ ...entry, position: BigInt(log.length + 1) });
    if (waiting[index]?.length === 0) waiting.splice(index, 1);
  }
  return log;
}

export function decodedJobEvent(
  tenantId: string,
  jobId: string,
  revision: number,
  event: JobEvent,
  occurredAt: number,
): HistoryStep['entry'] {
  return {
    aggregate: 'job',
    stream: jobStream(tenantId, jobId),
    tenantId,
    jobId,
    revision,
    position: 0n,
    recordedAt: occurredAt,
    metadata: {
      tenantId,
      actor: { id: 'test', auth: 'in_process' },
      correlationId: 'c',
      causationId: `${revision}`,
      occurredAt,
    },
    event,
  };
}

function live(tenantId: string, jobId: string, commands: readonly JobCommand[]): readonly HistoryStep[] {
  const steps: HistoryStep[] = [];
  let job = jobDecider.initial();
  for (const command of commands) {
    const decision = jobDecider.decide(command, job);
    if (decision.kind === 'rejected') continue;
    for (const event of decision.events) {
      const before = job;
      job = jobDecider.evolve(job, event, command.at);
      const entry = decodedJobEvent(tenantId, jobId, steps.length, event, command.at);
      steps.push({ entry, before, after: job });
    }
  }
  return steps;
}

const nextOf = (stream: Iterator<string>): string => String(stream.next().value);
