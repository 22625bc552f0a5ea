import type { ExistingJob, JobStatus } from './state.ts';

/**
 * The status that people see at a given time. Scheduled and retrying jobs become ready by time alone, without an event,
 * so the stored status says `scheduled` or `retrying` until a worker takes the job.
 */
export function statusAt(job: Pick<ExistingJob, 'status' | 'runAt'>, now: number): JobStatus {
  const waits = job.status === 'scheduled' || job.status === 'retrying';
  return waits && job.runAt <= now ? 'queued' : job.status;
}
