import { createAdmittedJobs, type WantedJob } from './create-admitted-jobs.ts';
import { BATCH_REFUSED, type Checked, createWholeWriter, type Writer } from './enqueue-whole.ts';
import { createEnqueueWithKeys, type KeyedJob } from './enqueue-with-keys.ts';
import { withDefaults } from './job-defaults.ts';
import { createJobHandler } from './job-handler.ts';
import { deriveJobId } from './job-id.ts';
import { DEFAULT_MAX_PAYLOAD_BYTES, MAX_JOBS_PER_CALL, refusalOf } from './job-limits.ts';
import { assertWellFormed } from './job-request.ts';
import { metadataFor } from './metadata-for.ts';
import type { Clock, EventLog, Ids } from './ports.ts';
import type { QuotaGate } from './quota-gate.ts';
import type { StagedBatch, StagingArea } from './staged-jobs.ts';
import { type Metrics, noMetrics } from './telemetry.ts';
import { assertTenantId } from './tenant-id.ts';
import type { EnqueueRequest, EnqueueResult, UseCases } from './use-cases.ts';

export interface EnqueueDeps {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Makes `atomic` hold through a crash. Without it, such a batch is one append: enough for a log in memory. */
  readonly staging?: StagingArea | undefined;
  /** UTF-8 bytes; default 256 KiB. */
  readonly maxPayloadBytes?: number | undefined;
  /** Holds tenants to their quotas; absent: nobody has one. */
  readonly gate?: QuotaGate | undefined;
  readonly metrics?: Metrics | undefined;
}

/**
 * Durable once it resolves. Throws InvalidJobError and InvalidTenantError for what no edge should let through, ContendedError,
 * LogOverloadedError and LogUnavailableError.
 */
export function createEnqueueJobs(deps: EnqueueDeps): UseCases['enqueueJobs'] {
  const { clock, ids, maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES, metrics = noMetrics } = deps;
  const write = createWriter(deps);
  const writeWhole = createWholeWriter(deps, createWriter({ log: deps.log }));

  return async (context, requests, { atomic = false, commandId } = {}) => {
    if (requests.length > MAX_JOBS_PER_CALL)
      throw new RangeError(`at most ${MAX_JOBS_PER_CALL} jobs in a call`);
    assertTenantId(context.tenantId);
    const now = clock.now();
    const results: EnqueueResult[] = new Array(requests.length);
    const jobs: Addressed[] = [];
    requests.forEach((request, index) => {
      assertWellFormed(request, index);
      const reason = refusalOf(request, now, maxPayloadBytes);
      if (reason) results[index] = { kind: 'refused', reason };
      else jobs.push({ index, ...address(request, index, commandId, ids) });
    });
    if (atomic && jobs.length < requests.length) {
      for (const { index } of jobs) results[index] = BATCH_REFUSED;
      return results;
    }
    const metadata = metadataFor(context, now, commandId ?? ids.next());
    const written =
      atomic && jobs.length > 1 ? await writeWhole(context, metadata, jobs) : await write(metadata, jobs);
    jobs.forEach(({ index }, place) => {
      const result = written[place];
      if (!result) throw new Error('no result for a job');
      results[index] = result;
    });
    report(metrics, results);
    return results;
  };
}

/**
 * Enqueues requests that were checked and admitted before, under their ids. Repeated with the same command id it
 * answers as it did the first time.
 */
export function createEnqueueStaged({ log }: Pick<EnqueueDeps, 'log'>, clock: Clock) {
  const write = createWriter({ log });
  return ({ context, commandId, requests }: StagedBatch): Promise<readonly EnqueueResult[]> =>
    write(
      metadataFor(context, clock.now(), commandId),
      requests.map(({ reservationId, ...request }) => ({
        request,
        jobId: request.jobId,
        fixedId: true,
        reservationId,
      })),
    );
}

type Addressed = Checked & { readonly index: number };

function address(request: EnqueueRequest, index: number, commandId: string | undefined, ids: Ids): Checked {
  const { jobId } = request;
  if (jobId !== undefined) return { request, jobId, fixedId: true };
  if (commandId !== undefined) return { request, jobId: deriveJobId(commandId, index), fixedId: true };
  return { request, jobId: ids.next(), fixedId: false };
}

function createWriter({ log, gate }: Pick<EnqueueDeps, 'log' | 'gate'>): Writer {
  const handler = createJobHandler(log);
  const create = createAdmittedJobs(log, handler, gate);
  const enqueueWithKeys = createEnqueueWithKeys(log, handler, create);
  return async (metadata, jobs) => {
    const plain: WantedJob[] = [];
    const keyed: KeyedJob[] = [];
    for (const { request, jobId, fixedId, reservationId } of jobs) {
      const { dedupeKey } = request;
      const defaults = withDefaults(request);
      const data = reservationId === undefined ? defaults : { ...defaults, reservationId };
      if (dedupeKey === undefined) plain.push({ jobId, data, fixedId });
      else keyed.push({ jobId, data, dedupeKey, fixedId });
    }
    if (keyed.length === 0) return create(metadata, plain);
    const [created, deduplicated] = await Promise.all([
      plain.length > 0 ? create(metadata, plain) : [],
      enqueueWithKeys(metadata, keyed),
    ]);
    const nextPlain = created.values();
    const nextKeyed = deduplicated.values();
    return jobs.map(({ request }) => {
      const { value } = (request.dedupeKey === undefined ? nextPlain : nextKeyed).next();
      if (!value) throw new Error('no result for a job');
      return value;
    });
  };
}

function report(metrics: Metrics, results: readonly EnqueueResult[]): void {
  let created = 0;
  let deduplicated = 0;
  for (const { kind } of results) {
    if (kind === 'created') created += 1;
    else if (kind === 'deduplicated') deduplicated += 1;
  }
  const refused = results.length - created - deduplicated;
  if (created > 0) metrics.count('enqueues_total', created, CREATED);
  if (deduplicated > 0) metrics.count('enqueues_total', deduplicated, DEDUPLICATED);
  if (refused > 0) metrics.count('enqueues_total', refused, REFUSED);
}

const CREATED = { result: 'created' };
const DEDUPLICATED = { result: 'deduplicated' };
const REFUSED = { result: 'refused' };
