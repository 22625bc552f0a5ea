import {
  type DedupeKey,
  type DedupeKeyRejection,
  dedupeKeyDecider,
  type TakeDedupeKey,
} from '../domain/dedupe-key/decider.ts';
import type { DedupeKeyEvent } from '../domain/dedupe-key/events.ts';
import { holdsDedupeKey } from '../domain/dedupe-key/holds-key.ts';
import { dedupeKeyStream } from '../domain/dedupe-key/stream.ts';
import { jobStream } from '../domain/job/stream.ts';
import type { EventMetadata } from '../domain/metadata.ts';
import { ContendedError } from './contended-error.ts';
import type { CreateJobs, WantedJob } from './create-admitted-jobs.ts';
import type { NewJob } from './create-jobs.ts';
import { dedupeKeyCodec } from './dedupe-key-codec.ts';
import { dedupeKeyHash } from './dedupe-key-hash.ts';
import { Handler, type Known } from './handle.ts';
import { type JobHandler, snapshotOf } from './job-handler.ts';
import { type EventLog, NO_STREAM } from './ports.ts';
import { RecentHolders } from './recent-holders.ts';
import type { EnqueueResult } from './use-cases.ts';

/** A job to be created unless an unfinished one has its key. */
export interface KeyedJob extends NewJob {
  readonly dedupeKey: string;
  /** The id was not drawn for this very call, so the job may exist already. */
  readonly fixedId: boolean;
}

/** Times a key may change hands under an enqueue that wants it. */
const MAX_ROUNDS = 20;
/** A key that is used again and again would otherwise collect one event for each job. */
const TRUNCATE_EVERY = 64;

/**
 * Enqueues jobs of which at most one unfinished one may exist for each key. First the key is taken, then the job is
 * created under the id that the key names. A key that names a job which is not there belongs to an enqueue that has
 * crashed or has not got there yet: whoever comes next creates the job under that id, and all answer with it. So no key
 * has to be released or to time out. A stream is created once only: a late creator finds the job, whatever became of it.
 */
export function createEnqueueWithKeys(
  log: EventLog,
  handler: JobHandler,
  create: CreateJobs,
): EnqueueWithKeys {
  const keys = new Handler(log, dedupeKeyDecider, dedupeKeyCodec);
  const recent = new RecentHolders();

  return async (metadata, jobs) => {
    const results = new Map(await findRepeated(log, handler, metadata, jobs));
    answerAlike(jobs, results);
    const wanted = jobs.filter((job) => !results.has(job));
    let open = groupByKey(metadata.tenantId, wanted, recent);
    for (let round = 0; open.length > 0; round += 1) {
      if (round === MAX_ROUNDS) throw new ContendedError(open[0]?.stream ?? '');
      // A key still stands for the job that had it last, unless that job is over.
      const toTake = open.filter(({ guessed }) => !guessed || round > 0);
      await takeKeys(log, keys, metadata, toTake);
      const made = await create(metadata, open.map(jobUnderKey));
      open = open.filter((claim, index) => {
        const result = made[index];
        if (!result) throw new Error('no result for a job');
        if (isLost(claim, result)) return true;
        if (result.kind !== 'refused') recent.set(claim.stream, claim.holder);
        for (const job of claim.jobs) results.set(job, job === claim.first ? result : repeated(result));
        return false;
      });
    }
    return jobs.map((job) => results.get(job) ?? { kind: 'refused', reason: 'job_exists' });
  };
}

export type EnqueueWithKeys = (
  metadata: EventMetadata,
  jobs: readonly KeyedJob[],
) => Promise<readonly EnqueueResult[]>;

/** One key that a call wants; the first of its jobs is created, the others answer with it. */
interface KeyClaim {
  readonly stream: string;
  readonly jobs: readonly KeyedJob[];
  readonly first: KeyedJob;
  /** What the key is believed to be; undefined: look. */
  known: Known<DedupeKey> | undefined;
  /** `holder` comes from memory. */
  readonly guessed: boolean;
  /** The job that has the key now. */
  holder: string;
  /** A holder that was seen finished. */
  finished: string | undefined;
  /** We took the key just now: nobody has created the job yet, as far as we know. */
  taken: boolean;
}

/** Jobs whose fixed id is in the log already. Looked for first: such a job may have finished and passed its key on. */
async function findRepeated(
  log: EventLog,
  handler: JobHandler,
  { tenantId, causationId }: EventMetadata,
  jobs: readonly KeyedJob[],
): Promise<ReadonlyMap<KeyedJob, EnqueueResult>> {
  const results = new Map<KeyedJob, EnqueueResult>();
  const fixed = jobs.filter(({ fixedId }) => fixedId);
  if (fixed.length === 0) return results;
  const streams = await log.readStreams(fixed.map(({ jobId }) => jobStream(tenantId, jobId)));
  for (const job of fixed) {
    const events = streams.get(jobStream(tenantId, job.jobId));
    const [first] = events ?? [];
    if (!events || !first) continue;
    const snapshot = snapshotOf(tenantId, job.jobId, handler.fold(events));
    if (!snapshot) continue;
    const ours = first.metadata.causationId === causationId;
    results.set(
      job,
      ours ? { kind: 'created', snapshot, position: first.position } : { kind: 'deduplicated', snapshot },
    );
  }
  return results;
}

/** A repeated command answers as it did: jobs whose key went to another of its jobs do not come alive now. */
function answerAlike(jobs: readonly KeyedJob[], results: Map<KeyedJob, EnqueueResult>): void {
  const created = new Map<string, EnqueueResult>();
  for (const [job, result] of results) if (result.kind === 'created') created.set(job.dedupeKey, result);
  for (const job of jobs) {
    const result = created.get(job.dedupeKey);
    if (result && !results.has(job)) results.set(job, repeated(result));
  }
}

const NEVER_TAKEN: Known<DedupeKey> = { state: dedupeKeyDecider.initial(), revision: NO_STREAM };

function groupByKey(tenantId: string, jobs: readonly KeyedJob[], recent: RecentHolders): readonly KeyClaim[] {
  const claims = new Map<string, KeyClaim & { readonly jobs: KeyedJob[] }>();
  for (const job of jobs) {
    const claim = claims.get(job.dedupeKey);
    if (claim) {
      claim.jobs.push(job);
      continue;
    }
    const stream = dedupeKeyStream(tenantId, dedupeKeyHash(job.dedupeKey));
    const holder = recent.get(stream);
    claims.set(job.dedupeKey, {
      stream,
      jobs: [job],
      first: job,
      known: holder === undefined ? NEVER_TAKEN : undefined,
      guessed: holder !== undefined,
      holder: holder ?? job.jobId,
      finished: undefined,
      taken: false,
    });
  }
  return [...claims.values()];
}

async function takeKeys(
  log: EventLog,
  keys: Handler<TakeDedupeKey, DedupeKey, DedupeKeyEvent, DedupeKeyRejection>,
  metadata: EventMetadata,
  claims: readonly KeyClaim[],
): Promise<void> {
  const handled = await keys.handle(
    claims.map(({ stream, first, finished, known }) => ({
      stream,
      command: { type: 'TakeDedupeKey', jobId: first.jobId, insteadOf: finished },
      // The log knows a repeated append by its cause alone; one command may want a key for one job and then another.
      metadata: { ...metadata, causationId: `${metadata.causationId}/${first.jobId}` },
      assume: known,
    })),
  );
  const long: { readonly stream: string; readonly revision: number }[] = [];
  claims.forEach((claim, index) => {
    const answer = handled[index];
    if (answer?.kind === 'unreadable') throw answer.error;
    if (answer === undefined || answer.kind === 'contended') throw new ContendedError(claim.stream);
    claim.taken = answer.kind === 'accepted' && answer.events.length > 0;
    claim.known = { state: answer.state, revision: answer.revision };
    claim.holder = answer.state.jobId ?? claim.first.jobId;
    if (claim.taken && answer.revision % TRUNCATE_EVERY === TRUNCATE_EVERY - 1)
      long.push({ stream: claim.stream, revision: answer.revision });
  });
  for (const { stream, revision } of long) await log.truncate(stream, revision);
}

const jobUnderKey = ({ holder, first, taken }: KeyClaim): WantedJob => ({
  jobId: holder,
  data: holder === first.jobId ? first.data : withoutSlot(first.data),
  probablyExists: !taken,
});

/** A reservation is for one id: used for another, both jobs' slots would be freed while one of them lives. */
const withoutSlot = ({ reservationId: _, ...data }: NewJob['data']): NewJob['data'] => data;

/** The key names a job that is over; unless that job is our own, the key can be taken from it. */
function isLost(claim: KeyClaim, result: EnqueueResult): boolean {
  if (result.kind === 'created' || claim.holder === claim.first.jobId) return false;
  if (result.kind === 'refused' && result.reason !== 'job_exists') return false;
  const over = result.kind === 'refused' || !holdsDedupeKey(result.snapshot.job.status);
  if (over) claim.finished = claim.holder;
  return over;
}

const repeated = (result: EnqueueResult): EnqueueResult =>
  result.kind === 'created' ? { kind: 'deduplicated', snapshot: result.snapshot } : result;
