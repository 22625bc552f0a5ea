import type { EventMetadata } from '../domain/metadata.ts';
import type { CallContext } from './call-context.ts';
import { createJobs, type NewJob } from './create-jobs.ts';
import { createEnqueueWithKeys, type KeyedJob } from './enqueue-with-keys.ts';
import { withDefaults } from './job-defaults.ts';
import { createJobHandler } from './job-handler.ts';
import { deriveJobId } from './job-id.ts';
import { DEFAULT_MAX_PAYLOAD_BYTES, MAX_JOBS_PER_CALL, refusalOf } from './job-limits.ts';
import { assertWellFormed } from './job-request.ts';
import { metadataFor } from './metadata-for.ts';
import { type Clock, type EventLog, type Ids, LogOverloadedError, LogUnavailableError } from './ports.ts';
import type { StagedBatch, StagingArea } from './staged-jobs.ts';
import { type Metrics, noMetrics } from './telemetry.ts';
import { assertTenantId } from './tenant-id.ts';
import type { EnqueueRequest, EnqueueResult, Refused, UseCases } from './use-cases.ts';

export interface EnqueueDeps {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Makes `atomic` hold through a crash. Without it, such a batch is one append: enough for a log in memory. */
  readonly staging?: StagingArea | undefined;
  /** UTF-8 bytes; default 256 KiB. */
  readonly maxPayloadBytes?: number | undefined;
  readonly metrics?: Metrics | undefined;
}

/**
 * Durable once it resolves. Throws InvalidJobError and InvalidTenantError for what no edge should let through, ContendedError,
 * LogOverloadedError and LogUnavailableError.
 */
export function createEnqueueJobs(deps: EnqueueDeps): UseCases['enqueueJobs'] {
  const { clock, ids, maxPayloadBytes = DEFAULT_MAX_PAYLOAD_BYTES, metrics = noMetrics } = deps;
  const write = createWriter(deps);

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
      atomic && deps.staging && jobs.length > 1
        ? await writeWhole(deps.staging, write, context, metadata, jobs)
        : await write(metadata, jobs);
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
 * Enqueues requests that were checked before, under their ids. Repeated with the same command id it answers as it did
 * the first time.
 */
export function createEnqueueStaged({ log }: Pick<EnqueueDeps, 'log'>, clock: Clock) {
  const write = createWriter({ log });
  return ({ context, commandId, requests }: StagedBatch): Promise<readonly EnqueueResult[]> =>
    write(
      metadataFor(context, clock.now(), commandId),
      requests.map((request) => ({ request, jobId: request.jobId, fixedId: true })),
    );
}

interface Checked {
  readonly request: EnqueueRequest;
  readonly jobId: string;
  readonly fixedId: boolean;
}
type Addressed = Checked & { readonly index: number };
type Writer = (metadata: EventMetadata, jobs: readonly Checked[]) => Promise<readonly EnqueueResult[]>;

const BATCH_REFUSED: Refused = { kind: 'refused', reason: 'batch_refused' };

function address(request: EnqueueRequest, index: number, commandId: string | undefined, ids: Ids): Checked {
  const { jobId } = request;
  if (jobId !== undefined) return { request, jobId, fixedId: true };
  if (commandId !== undefined) return { request, jobId: deriveJobId(commandId, index), fixedId: true };
  return { request, jobId: ids.next(), fixedId: false };
}

function createWriter({ log }: Pick<EnqueueDeps, 'log'>): Writer {
  const handler = createJobHandler(log);
  const enqueueWithKeys = createEnqueueWithKeys(log, handler);
  return async (metadata, jobs) => {
    const plain: NewJob[] = [];
    const keyed: KeyedJob[] = [];
    for (const { request, jobId, fixedId } of jobs) {
      const { dedupeKey } = request;
      const data = withDefaults(request);
      if (dedupeKey === undefined) plain.push({ jobId, data });
      else keyed.push({ jobId, data, dedupeKey, fixedId });
    }
    if (keyed.length === 0) return createJobs(handler, metadata, plain);
    const [created, deduplicated] = await Promise.all([
      plain.length > 0 ? createJobs(handler, metadata, plain) : [],
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

/**
 * The commit point is the staging area: a crash before it leaves nothing, a crash after it leaves the rest to the relay.
 * From then on the batch can't be given up, so an overloaded log is waited for rather than reported.
 */
async function writeWhole(
  staging: StagingArea,
  write: Writer,
  context: CallContext,
  metadata: EventMetadata,
  jobs: readonly Checked[],
): Promise<readonly EnqueueResult[]> {
  const requests = jobs.map(({ request, jobId }) => ({ ...request, jobId }));
  const batch: StagedBatch = { context, commandId: metadata.causationId, requests };
  await staging.put(batch);
  const results = await persist(() => write(metadata, jobs));
  await staging.remove(batch);
  return results;
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
