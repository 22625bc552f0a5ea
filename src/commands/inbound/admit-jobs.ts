import type { Admission, AdmissionOptions, Candidate } from '../admission.ts';
import type { EnsureTerms } from '../plans/default-terms.ts';
import type { Refused } from '../use-cases.ts';
import { CommandRefusedError } from './command-refused-error.ts';
import type { LedgerJob } from './inbox-ledger.ts';

export interface AdmitJobsDeps {
  readonly ensureTerms: EnsureTerms;
  /** Looks without reserving: the jobs are counted when they appear. */
  readonly admit: (
    tenantId: string,
    candidates: readonly Candidate[],
    options: AdmissionOptions,
  ) => Promise<readonly Admission[]>;
}

export interface AdmittedJobs {
  /** Those that were put off run later. */
  readonly jobs: readonly LedgerJob[];
  /** Throws CommandRefusedError when one of these may not be enqueued. */
  readonly check: (fresh: readonly LedgerJob[]) => void;
}

/** Asks the quotas of their tenants about jobs that events cause. */
export async function admitJobs(
  { ensureTerms, admit }: AdmitJobsDeps,
  jobs: readonly LedgerJob[],
): Promise<AdmittedJobs> {
  const answers = new Map<LedgerJob, Admission>();
  await Promise.all(
    [...Map.groupBy(jobs, ({ tenantId }) => tenantId)].map(async ([tenantId, own]) => {
      await ensureTerms(tenantId, own[0]?.context.correlationId ?? '');
      const candidates = own.map(({ request }) => ({ jobId: request.jobId, payload: request.payload }));
      const admissions = await admit(tenantId, candidates, { reserve: false });
      own.forEach((job, index) => {
        const admission = admissions[index];
        if (admission) answers.set(job, admission);
      });
    }),
  );
  const refusals = new Map<string, Refused>();
  const admitted = jobs.map((job) => {
    const answer = answers.get(job);
    if (answer?.kind === 'refused') refusals.set(job.request.jobId, answer);
    if (answer?.kind !== 'admitted' || answer.runAt === undefined) return job;
    const runAt = Math.max(answer.runAt, job.request.runAt ?? 0);
    return { ...job, request: { ...job.request, runAt } };
  });
  return {
    jobs: admitted,
    check(fresh) {
      for (const { request, tenantId } of fresh) {
        const refusal = refusals.get(request.jobId);
        if (refusal) throw new CommandRefusedError('enqueue', `for ${tenantId}`, refusal.reason, refusal);
      }
    },
  };
}
