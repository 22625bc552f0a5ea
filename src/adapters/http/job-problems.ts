import type { JobRejection } from '../../domain/job/commands.ts';
import type { ProblemKind, Slug } from './problem-catalogue.ts';

/** What a job's own rules refuse. */
export const JOB_PROBLEMS = {
  'job-not-found': {
    status: 404,
    title: 'No such job',
    meaning:
      'The tenant of the API key has no job of this id, or not at the time or with the revision asked for.',
  },
  'job-exists': {
    status: 409,
    title: 'Job exists',
    meaning: 'Another job has this id, or the id was fenced off.',
  },
  'job-finished': {
    status: 409,
    title: 'Job is finished',
    meaning: 'The job is completed, cancelled or purged; nothing more can happen to it.',
  },
  'job-running': {
    status: 409,
    title: 'Job is running',
    meaning: 'A worker has the job: cancel it, or wait until the attempt ends.',
  },
  'job-not-due': { status: 409, title: 'Job is not due', meaning: 'The time of the job has not come yet.' },
  'job-waiting': {
    status: 409,
    title: 'Job is waiting',
    meaning: 'The job waits to run already; there is nothing to retry. PATCH it to make it run earlier.',
  },
  'job-dead-lettered': {
    status: 409,
    title: 'Job is a dead letter',
    meaning: 'A dead letter is changed by replaying it: POST /v1/dead-letters/{id}/replay.',
  },
  'not-dead-lettered': {
    status: 409,
    title: 'Not a dead letter',
    meaning: 'Only dead letters can be replayed or purged; this job is none, or not any more.',
  },
  'cancel-not-requested': {
    status: 409,
    title: 'Nobody asked to cancel',
    meaning:
      'A worker can acknowledge a cancel only after one was asked for. Fail or release the job instead.',
  },
  'lease-lost': {
    status: 409,
    title: 'Lease lost',
    meaning:
      'The attempt is over or belongs to somebody else now. Drop the work; the outcome was not recorded.',
  },
} as const satisfies Record<Slug<JobRejection>, ProblemKind>;
