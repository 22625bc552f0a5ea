import type pg from 'pg';
import { ADMITTED, type Admission } from '../../commands/admission.ts';
import type { CallContext } from '../../commands/call-context.ts';
import { DEFAULT_MAX_PAYLOAD_BYTES, MAX_JOBS_PER_CALL, refusalOf } from '../../commands/job-limits.ts';
import { assertWellFormed } from '../../commands/job-request.ts';
import type { Clock, Ids } from '../../commands/ports.ts';
import type { QuotaGate } from '../../commands/quota-gate.ts';
import type { StagedBatch, StagedRequest, StagingArea } from '../../commands/staged-jobs.ts';
import { assertTenantId } from '../../commands/tenant-id.ts';
import type { EnqueueRequest, Refused } from '../../commands/use-cases.ts';

/** How long the relay leaves a batch to the process that put it down and enqueues it itself. */
const HEAD_START_MS = 10_000;

type Queryable = Pick<pg.ClientBase, 'query'>;

/** Where atomic batches wait in Postgres. */
export function createStagingArea(pool: pg.Pool): StagingArea {
  return {
    put: (batch) => insert(pool, batch, HEAD_START_MS),
    async remove({ commandId }) {
      await pool.query(REMOVE, [commandId]);
    },
  };
}

export type StageResult = { readonly kind: 'staged'; readonly jobId: string } | Refused;

/** Puts jobs down inside the caller's own transaction; they are enqueued once it has committed. */
export type StageJobs = (
  client: Queryable,
  context: CallContext,
  requests: readonly EnqueueRequest[],
) => Promise<readonly StageResult[]>;

/**
 * Enqueues inside a transaction of the caller: rolled back with it, in the log soon after it has committed, each job
 * once. Works with any search_path; takes no lock that others wait for, however long the transaction lasts. Results in
 * the order of the requests; when one is refused, nothing is put down. A dedupeKey is looked at after the commit: a job
 * whose key is taken by then is not created. The tenant's quota is asked but nothing is reserved, for nobody knows when
 * the transaction ends: the jobs count once they are in the log. Throws InvalidJobError and InvalidTenantError.
 */
export function createStageJobs(deps: {
  readonly clock: Clock;
  readonly ids: Ids;
  /** UTF-8 bytes; default 256 KiB. */
  readonly maxPayloadBytes?: number | undefined;
  /** Holds tenants to their quotas; absent: nobody has one. */
  readonly gate?: QuotaGate | undefined;
}): StageJobs {
  const { clock, ids, gate, maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES } = deps;
  return async (client, context, requests) => {
    if (requests.length > MAX_JOBS_PER_CALL)
      throw new RangeError(`at most ${MAX_JOBS_PER_CALL} jobs in a call`);
    assertTenantId(context.tenantId);
    const now = clock.now();
    const refusals = requests.map((request, index) => {
      assertWellFormed(request, index);
      return refusalOf(request, now, maxPayloadBytes);
    });
    if (refusals.some((reason) => reason !== undefined))
      return refusals.map((reason = 'batch_refused') => ({ kind: 'refused', reason }));
    const wanted = requests.map((request) => ({ ...request, jobId: request.jobId ?? ids.next() }));
    const admissions = gate
      ? await gate.admit(context.tenantId, wanted, { whole: true, reserve: false })
      : wanted.map(() => ADMITTED);
    const refused = admissions.filter((admission) => admission.kind === 'refused');
    if (refused.length > 0) return refused;
    const staged = wanted.map((request, index) => notBefore(request, admissions[index]));
    if (staged.length > 0) await insert(client, { context, commandId: ids.next(), requests: staged }, 0);
    return staged.map(({ jobId }) => ({ kind: 'staged', jobId }));
  };
}

function notBefore(request: StagedRequest, admission: Admission | undefined): StagedRequest {
  const { runAt = 0 } = admission?.kind === 'admitted' ? admission : ADMITTED;
  return runAt > (request.runAt ?? 0) ? { ...request, runAt } : request;
}

async function insert(client: Queryable, batch: StagedBatch, headStartMs: number): Promise<void> {
  const { context, commandId, requests } = batch;
  const { tenantId, actor, correlationId, traceparent } = context;
  await client.query(INSERT, [
    tenantId,
    commandId,
    JSON.stringify({ actor, correlationId, traceparent }),
    headStartMs,
    requests.map(({ jobId }) => jobId),
    requests.map(({ jobId: _, payload: __, ...request }) => JSON.stringify(request)),
    requests.map(({ payload }) => payload),
  ]);
}

/** A job with the call that it comes from. */
export interface StagedJob {
  readonly context: CallContext;
  readonly commandId: string;
  readonly request: StagedRequest;
}

/** Puts jobs of many calls and tenants down in one statement. They must have been checked. */
export async function stageChecked(client: Queryable, jobs: readonly StagedJob[]): Promise<void> {
  await client.query({
    name: 'stage_checked',
    text: INSERT_CHECKED,
    values: [
      jobs.map(({ context }) => context.tenantId),
      jobs.map(({ commandId }) => commandId),
      jobs.map(({ context: { actor, correlationId, traceparent } }) =>
        JSON.stringify({ actor, correlationId, traceparent }),
      ),
      jobs.map(({ request }) => request.jobId),
      jobs.map(({ request: { jobId: _, payload: __, ...rest } }) => JSON.stringify(rest)),
      jobs.map(({ request }) => request.payload),
    ],
  });
}

const INSERT_CHECKED = `
insert into eventzr.staged_jobs (tenant_id, command_id, context, job_id, request, payload)
select tenant_id, command_id, context, job_id, request, payload
from unnest($1::text[], $2::uuid[], $3::text[], $4::uuid[], $5::text[], $6::text[])
  as job (tenant_id, command_id, context, job_id, request, payload)`;

// Every name is spelt out in full: the caller's search_path may hold anything.
const INSERT = `
insert into eventzr.staged_jobs (tenant_id, command_id, context, due_at, job_id, request, payload)
select
  $1,
  $2::pg_catalog.uuid,
  $3,
  pg_catalog.now() operator(pg_catalog.+) ($4::pg_catalog.float8 operator(pg_catalog.*) '1 millisecond'::pg_catalog.interval),
  j.job_id,
  j.request,
  j.payload
from rows from (
  pg_catalog.unnest($5::pg_catalog.uuid[]),
  pg_catalog.unnest($6::pg_catalog.text[]),
  pg_catalog.unnest($7::pg_catalog.text[])
) as j (job_id, request, payload)`;

const REMOVE = `
delete from eventzr.staged_jobs
where command_id = $1`;
