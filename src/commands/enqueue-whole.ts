import type { EventMetadata } from '../domain/metadata.ts';
import type { CallContext } from './call-context.ts';
import { newAmong } from './create-admitted-jobs.ts';
import { type EventLog, LogOverloadedError, LogUnavailableError } from './ports.ts';
import type { QuotaGate } from './quota-gate.ts';
import type { StagedBatch, StagingArea } from './staged-jobs.ts';
import type { EnqueueRequest, EnqueueResult, Refused } from './use-cases.ts';

/** A request that was looked at, and the id of its job. */
export interface Checked {
  readonly request: EnqueueRequest;
  readonly jobId: string;
  readonly fixedId: boolean;
  /** Of a slot that was taken before. */
  readonly reservationId?: string | undefined;
}
/** Results in the order of the jobs. */
export type Writer = (metadata: EventMetadata, jobs: readonly Checked[]) => Promise<readonly EnqueueResult[]>;

export interface WholeDeps {
  readonly log: EventLog;
  readonly gate?: QuotaGate | undefined;
  readonly staging?: StagingArea | undefined;
}

export const BATCH_REFUSED: Refused = { kind: 'refused', reason: 'batch_refused' };

export type WholeWriter = (
  context: CallContext,
  metadata: EventMetadata,
  jobs: readonly Checked[],
) => Promise<readonly EnqueueResult[]>;

/**
 * All or none; `write` asks no gate. First all of the jobs are admitted; what exists already, as when the call is
 * repeated, was. The commit point is the staging area: a crash before it leaves nothing but slots, which are taken back;
 * a crash after it leaves the rest to the relay. From then on the batch can't be given up, so an overloaded log is
 * waited for rather than reported.
 */
export function createWholeWriter({ log, gate, staging }: WholeDeps, write: Writer): WholeWriter {
  return async (context, metadata, jobs) => {
    const admitted = await admitWhole(log, gate, metadata.tenantId, jobs);
    if ('refusals' in admitted) return admitted.refusals;
    if (!staging) return write(metadata, admitted.jobs);
    const requests = admitted.jobs.map(({ request, jobId, reservationId }) => ({
      ...request,
      jobId,
      ...(reservationId !== undefined && { reservationId }),
    }));
    const batch: StagedBatch = { context, commandId: metadata.causationId, requests };
    await staging.put(batch);
    const results = await persist(() => write(metadata, admitted.jobs));
    await staging.remove(batch);
    return results;
  };
}

async function admitWhole(
  log: EventLog,
  gate: QuotaGate | undefined,
  tenantId: string,
  jobs: readonly Checked[],
): Promise<{ readonly jobs: readonly Checked[] } | { readonly refusals: readonly EnqueueResult[] }> {
  if (!gate || !(await gate.hasASay(tenantId))) return { jobs };
  const wanted = await newAmong(log, tenantId, jobs);
  const candidates = wanted.map(({ jobId, request: { payload } }) => ({ jobId, payload }));
  const admissions = await gate.admit(tenantId, candidates, { whole: true });
  const byJob = new Map(wanted.map(({ jobId }, index) => [jobId, admissions[index]]));
  const refused = (jobId: string): Refused | undefined => {
    const admission = byJob.get(jobId);
    return admission?.kind === 'refused' ? admission : undefined;
  };
  if (wanted.some(({ jobId }) => refused(jobId)))
    return { refusals: jobs.map(({ jobId }) => refused(jobId) ?? BATCH_REFUSED) };
  return {
    jobs: jobs.map((job) => {
      const admission = byJob.get(job.jobId);
      if (admission?.kind !== 'admitted') return job;
      return {
        ...job,
        request: notBefore(job.request, admission.runAt),
        reservationId: admission.reservationId,
      };
    }),
  };
}

const MAX_OVERLOADED_TRIES = 20;

async function persist<T>(write: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof LogOverloadedError)) throw error;
      if (tries === MAX_OVERLOADED_TRIES)
        throw new LogUnavailableError(
          'the batch is accepted and will be enqueued when the log has room again',
          {
            cause: error,
          },
        );
      await new Promise((resolve) => setTimeout(resolve, Math.min(error.retryAfterMs, 1_000)));
    }
  }
}

const notBefore = (request: EnqueueRequest, runAt = 0): EnqueueRequest =>
  runAt > (request.runAt ?? 0) ? { ...request, runAt } : request;
