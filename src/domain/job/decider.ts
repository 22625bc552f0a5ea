import type { Decider } from '../decider.ts';
import type { JobCommand, JobRejection } from './commands.ts';
import { decide } from './decide.ts';
import type { JobEvent } from './events.ts';
import { evolve } from './evolve.ts';
import type { Job } from './state.ts';

const NO_JOB: Job = { status: 'none' };

/** One job of one tenant: its stream is its life. */
export const jobDecider: Decider<JobCommand, Job, JobEvent, JobRejection> = {
  initial: () => NO_JOB,
  evolve,
  decide,
};
