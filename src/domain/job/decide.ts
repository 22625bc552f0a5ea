import { accepted, type Decision, rejected, unreachable } from '../decider.ts';
import type { JobCommand, JobRejection } from './commands.ts';
import { purgeDeadLetter, replayDeadLetter } from './decide-dead-letter.ts';
import { cancel, expireDeadline, forceCancel } from './decide-ending.ts';
import { acknowledgeCancel, complete, expireLease, fail, release, timeOutAttempt } from './decide-running.ts';
import { amend, retry, start } from './decide-waiting.ts';
import type { JobEvent } from './events.ts';
import type { ExistingJob, Job, NoJob } from './state.ts';

/** What a command does to a job. Accepted without events: it is so already, a repeat changes nothing. */
export function decide(command: JobCommand, job: Job): Decision<JobEvent, JobRejection> {
  return job.status === 'none' || job.status === 'voided'
    ? decideWithoutJob(command, job)
    : decideExisting(command, job);
}

function decideWithoutJob(command: JobCommand, job: NoJob): Decision<JobEvent, JobRejection> {
  switch (command.type) {
    case 'EnqueueJob':
      if (job.status === 'voided') return rejected('job_exists');
      return accepted<JobEvent>({ type: 'JobEnqueued', data: command.job });
    case 'VoidJob':
      if (job.status === 'voided') return accepted<JobEvent>();
      return accepted<JobEvent>({ type: 'JobVoided', data: { reason: command.reason } });
    default:
      return rejected('job_not_found');
  }
}

function decideExisting(command: JobCommand, job: ExistingJob): Decision<JobEvent, JobRejection> {
  switch (command.type) {
    case 'EnqueueJob':
    case 'VoidJob':
      return rejected('job_exists');
    case 'StartJob':
      return start(command, job);
    case 'CompleteJob':
      return complete(command, job);
    case 'FailJob':
      return fail(command, job);
    case 'ReleaseJob':
      return release(command, job);
    case 'AcknowledgeCancel':
      return acknowledgeCancel(command, job);
    case 'ExpireLease':
      return expireLease(command, job);
    case 'TimeOutAttempt':
      return timeOutAttempt(command, job);
    case 'ExpireDeadline':
      return expireDeadline(command, job);
    case 'CancelJob':
      return cancel(command, job);
    case 'ForceCancel':
      return forceCancel(command, job);
    case 'RetryJob':
      return retry(command, job);
    case 'AmendJob':
      return amend(command, job);
    case 'ReplayDeadLetter':
      return replayDeadLetter(command, job);
    case 'PurgeDeadLetter':
      return purgeDeadLetter(command, job);
    default:
      return unreachable(command);
  }
}
