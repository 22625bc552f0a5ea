import {
  ADMITTED,
  type Admission,
  type AdmissionOptions,
  type Admitted,
  type Candidate,
} from '../admission.ts';
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

/**
 * The jobs as they are to be staged: those that are put off run later. Throws CommandRefusedError when one of them may
 * not be enqueued. Over all calls no more jobs are let in than there was room for when the quotas were asked.
 */
export type LetIn = (fresh: readonly LedgerJob[]) => readonly LedgerJob[];

/**
 * Asks the quotas of their tenants about jobs that events cause. Trouble with one tenant is thrown when its jobs are to be
 * let in: it must not hold up the others.
 */
export async function admitJobs(deps: AdmitJobsDeps, jobs: readonly LedgerJob[]): Promise<LetIn> {
  const desks = new Map<string, Desk | Error>();
  await Promise.all(
    [...Map.groupBy(jobs, ({ tenantId }) => tenantId)].map(async ([tenantId, own]) => {
      desks.set(tenantId, await deskFor(deps, tenantId, own).catch(asError));
    }),
  );
  return (fresh) => {
    const used = new Map<Desk, number>();
    const given = fresh.map((job) => {
      const desk = desks.get(job.tenantId);
      if (!desk) throw new Error('a job that nobody has asked for');
      if (desk instanceof Error) throw desk;
      const { jobId } = job.request;
      const before = desk.given.get(jobId);
      const next = used.get(desk) ?? 0;
      const admission = before ?? desk.tooLarge.get(jobId) ?? desk.free[next] ?? desk.full;
      if (admission.kind === 'refused') {
        throw new CommandRefusedError('enqueue', `for ${job.tenantId}`, admission.reason, admission);
      }
      if (!before) used.set(desk, next + 1);
      return { job, desk, admission };
    });
    for (const { job, desk, admission } of given) desk.given.set(job.request.jobId, admission);
    for (const [desk, count] of used) desk.free.splice(0, count);
    return given.map(({ job, admission: { runAt } }) => (runAt === undefined ? job : notBefore(job, runAt)));
  };
}

/** What a tenant's quota has said about a batch. Which jobs get the admissions shows when it is known which are new. */
interface Desk {
  readonly free: Admitted[];
  /** Jobs that have one: they keep it when they are tried again. */
  readonly given: Map<string, Admitted>;
  readonly tooLarge: ReadonlyMap<string, Refused>;
  /** For those that come when none is free. */
  readonly full: Admission;
}

async function deskFor(
  { ensureTerms, admit }: AdmitJobsDeps,
  tenantId: string,
  jobs: readonly LedgerJob[],
): Promise<Desk> {
  await ensureTerms(tenantId, jobs[0]?.context.correlationId ?? '');
  const requests = [...new Map(jobs.map(({ request }) => [request.jobId, request])).values()];
  const candidates = requests.map(({ jobId, payload }) => ({ jobId, payload }));
  const admissions = await admit(tenantId, candidates, { reserve: false });
  const free: Admitted[] = [];
  const tooLarge = new Map<string, Refused>();
  let full: Admission = ADMITTED;
  for (const [index, { jobId }] of requests.entries()) {
    const answer = admissions[index] ?? ADMITTED;
    if (answer.kind === 'admitted') free.push(answer);
    else if (answer.quota?.limit === 'payloadBytes') tooLarge.set(jobId, answer);
    else if (full.kind === 'admitted') full = answer;
  }
  return { free, given: new Map(), tooLarge, full };
}

const notBefore = (job: LedgerJob, runAt: number): LedgerJob => ({
  ...job,
  request: { ...job.request, runAt: Math.max(runAt, job.request.runAt ?? 0) },
});

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
