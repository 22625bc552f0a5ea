import type { JobIdentity } from './events.ts';

export const identityOf = (job: JobIdentity): JobIdentity => ({
  type: job.type,
  queue: job.queue,
  priority: job.priority,
});
