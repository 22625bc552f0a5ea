import { jobStream } from '../domain/job/stream.ts';
import type { EventMetadata } from '../domain/metadata.ts';
import type { Admission } from './admission.ts';
import { ContendedError } from './contended-error.ts';
import { createJobs, type NewJob } from './create-jobs.ts';
import type { JobHandler } from './job-handler.ts';
import { deriveJobId } from './job-id.ts';
import type { EventLog } from './ports.ts';
import type { QuotaGate } from './quota-gate.ts';
import type { EnqueueResult, Refused } from './use-cases.ts';

/** A job whose id may have been used before. */
export interface WantedJob extends NewJob {
  /** The id was not drawn for this very call. */
  readonly fixedId?: boolean | undefined;
}

/** Results in the order of the jobs. */
export type CreateJobs = (
  metadata: EventMetadata,
  jobs: readonly WantedJob[],
) => Promise<readonly EnqueueResult[]>;

/** Ids that were fenced off, one after the other. */
const MAX_ROUNDS = 4;

/**
 * Creates jobs as far as their tenant's quota goes. Only what is really going to be created is admitted: jobs that exist
 * are answered as they stand, even when nothing more fits. Without a gate everything fits.
 *
 * A slot that is not used within a minute is taken back by fencing its job off (JobVoided). A job that comes too late
 * asks again, under an id that derives from its own; so does whoever repeats the call, and meets what was created.
 */
export function createAdmittedJobs(log: EventLog, handler: JobHandler, gate?: QuotaGate): CreateJobs {
  const createOnce: CreateJobs = async (metadata, jobs) => {
    const { tenantId } = metadata;
    if (!gate || !(await gate.hasASay(tenantId))) return createJobs(handler, metadata, jobs);
    const wanted = await newAmong(log, tenantId, jobs);
    const admissions = await gate.admit(
      tenantId,
      wanted.map(({ jobId, data }) => ({ jobId, payload: data.payload })),
    );
    const answers = new Map(wanted.map(({ jobId }, index) => [jobId, admissions[index]]));
    const refusalOf = (jobId: string): Refused | undefined => {
      const answer = answers.get(jobId);
      return answer?.kind === 'refused' ? answer : undefined;
    };
    const created = await createJobs(
      handler,
      metadata,
      jobs.filter(({ jobId }) => !refusalOf(jobId)).map((job) => underAdmission(job, answers.get(job.jobId))),
    );
    const next = created.values();
    return jobs.map(({ jobId }) => {
      const result = refusalOf(jobId) ?? next.next().value;
      if (!result) throw new Error('no result for a job');
      return result;
    });
  };

  return async (metadata, jobs) => {
    const first = await createOnce(metadata, jobs);
    let open = fencedAmong(jobs, first);
    if (open.length === 0) return first;
    const results = [...first];
    for (let round = 1; open.length > 0; round += 1) {
      if (round === MAX_ROUNDS)
        throw new ContendedError(jobStream(metadata.tenantId, open[0]?.job.jobId ?? ''));
      const again = open.map(({ job, place }) => ({ job: underNextId(job), place }));
      const made = await createOnce(
        metadata,
        again.map(({ job }) => job),
      );
      again.forEach(({ place }, index) => {
        results[place] = made[index] ?? FENCED;
      });
      open = fencedAmong(
        again.map(({ job }) => job),
        made,
      ).map(({ job, place }) => ({ job, place: again[place]?.place ?? place }));
    }
    return results;
  };
}

const FENCED: Refused = { kind: 'refused', reason: 'job_exists' };

/** Those that are not in the log, each once. Ids that were drawn for this call are not looked for. */
export async function newAmong<Job extends Pick<WantedJob, 'jobId' | 'fixedId' | 'probablyExists'>>(
  log: EventLog,
  tenantId: string,
  jobs: readonly Job[],
): Promise<readonly Job[]> {
  if (!jobs.some(({ fixedId, probablyExists }) => fixedId || probablyExists)) return jobs;
  const unique = new Map(jobs.map((job) => [jobStream(tenantId, job.jobId), job]));
  const known = [...unique].filter(([, { fixedId, probablyExists }]) => fixedId || probablyExists);
  const existing = await log.readStreams(known.map(([stream]) => stream));
  for (const stream of existing.keys()) unique.delete(stream);
  return [...unique.values()];
}

function underAdmission(job: WantedJob, admission: Admission | undefined): NewJob {
  if (admission?.kind !== 'admitted') return job;
  const { reservationId, runAt = 0 } = admission;
  const later = runAt > (job.data.runAt ?? 0);
  if (reservationId === undefined && !later) return job;
  const data = { ...job.data, reservationId };
  return { ...job, data: later ? { ...data, runAt } : data };
}

/** Only a fenced id is refused with job_exists. */
function fencedAmong(
  jobs: readonly WantedJob[],
  results: readonly EnqueueResult[],
): readonly { readonly job: WantedJob; readonly place: number }[] {
  const fenced: { job: WantedJob; place: number }[] = [];
  results.forEach((result, place) => {
    const job = jobs[place];
    if (job && result.kind === 'refused' && result.reason === 'job_exists') fenced.push({ job, place });
  });
  return fenced;
}

/** A reservation is for one id: it does not come along. */
function underNextId({ jobId, data: { reservationId: _, ...data } }: WantedJob): WantedJob {
  return { jobId: deriveJobId(jobId, 0), data, fixedId: true };
}
