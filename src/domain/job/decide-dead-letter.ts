import { accepted, type Decision, rejected } from '../decider.ts';
import type { JobCommandOf, JobRejection } from './commands.ts';
import type { JobEvent } from './events.ts';
import { identityOf } from './identity.ts';
import type { ExistingJob } from './state.ts';

type JobDecision = Decision<JobEvent, JobRejection>;

/** Back to a queue, with all of its attempts again; the payload and the queue may be changed on the way. */
export function replayDeadLetter(
  command: Omit<JobCommandOf<'ReplayDeadLetter'>, 'type'>,
  job: ExistingJob,
): JobDecision {
  if (job.status !== 'dead_lettered') return rejected('not_dead_lettered');
  const { runAt, reason, payload, queue = job.queue } = command;
  return accepted<JobEvent>({
    type: 'DeadLetterReplayed',
    data: { ...identityOf(job), queue, runAt, reason, payload },
  });
}

export function purgeDeadLetter(command: JobCommandOf<'PurgeDeadLetter'>, job: ExistingJob): JobDecision {
  if (job.status === 'purged') return accepted<JobEvent>();
  if (job.status !== 'dead_lettered') return rejected('not_dead_lettered');
  return accepted<JobEvent>({
    type: 'DeadLetterPurged',
    data: { ...identityOf(job), reason: command.reason },
  });
}
