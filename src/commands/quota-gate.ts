import { limitOfBatches } from '../domain/tenant-quota/headroom.ts';
import { mustReserve, type QuotaLimits, type QuotaTerms } from '../domain/tenant-quota/limits.ts';
import { rateOf } from '../domain/tenant-quota/rate-bucket.ts';
import type { TenantQuota } from '../domain/tenant-quota/state.ts';
import {
  ADMITTED,
  type Admission,
  type AdmissionOptions,
  type Candidate,
  exceeded,
  hasASay,
  isClosed,
} from './admission.ts';
import { AdmissionLine, type LineDeps } from './admission-line.ts';
import type { Clock, EventLog, Ids } from './ports.ts';
import { QuotaCache } from './quota-cache.ts';
import { createQuotaHandler, type KnownQuota } from './quota-handler.ts';
import type { RateBuckets } from './rate-buckets.ts';
import { RefusalNotes } from './refusal-notes.ts';
import { TERMS_MAX_AGE_MS } from './slot-reservation.ts';
import { type Logger, type Metrics, noMetrics } from './telemetry.ts';
import type { QuotaRefusal, Refused } from './use-cases.ts';

export interface QuotaGateDeps {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly buckets: RateBuckets;
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
}

const BATCH_REFUSED: Refused = { kind: 'refused', reason: 'batch_refused' };

/**
 * Lets jobs in as far as their tenant's quota goes. Tenants without limits pay one read a second. What is granted
 * against jobsPerDay and unfinishedJobs is reserved in the log before the jobs are created; the rate is taken from the
 * tenant's bucket.
 */
export class QuotaGate {
  readonly #cache: QuotaCache;
  readonly #clock: Clock;
  readonly #notes: RefusalNotes;
  readonly #metrics: Metrics;
  readonly #lines = new Map<string, AdmissionLine>();
  readonly #lineDeps: LineDeps;

  constructor({ log, clock, ids, buckets, logger, metrics = noMetrics }: QuotaGateDeps) {
    const handler = createQuotaHandler(log);
    const cache = new QuotaCache(handler, clock, metrics);
    this.#cache = cache;
    this.#clock = clock;
    this.#metrics = metrics;
    this.#notes = new RefusalNotes({
      handler,
      clock,
      ids,
      logger,
      changed: (tenantId, known) => cache.put(tenantId, known),
    });
    const noted: LineDeps['noted'] = (...about) => this.#noted(...about);
    this.#lineDeps = { handler, cache, buckets, clock, ids, metrics, noted };
  }

  /** The tenant's quota as this process acts by it: as of its last reservation here, or a second old at most. */
  known(tenantId: string): KnownQuota | Promise<KnownQuota> {
    return this.#cache.get(tenantId, TERMS_MAX_AGE_MS);
  }

  /** However old; undefined: not known yet, and read for the next time. For what need not be right. */
  lastKnown(tenantId: string): KnownQuota | undefined {
    const known = this.#cache.get(tenantId, Number.POSITIVE_INFINITY);
    if (!(known instanceof Promise)) return known;
    known.catch(() => undefined);
    return undefined;
  }

  /** Whether the tenant's quota has any say in what it enqueues; without a promise when that is known. */
  hasASay(tenantId: string): boolean | Promise<boolean> {
    const known = this.#cache.get(tenantId, TERMS_MAX_AGE_MS);
    return known instanceof Promise ? known.then(says) : says(known);
  }

  /**
   * Admissions in the order of the candidates, no two of which are the same job; they share a fate when `whole`. Slots
   * that are granted are taken: those of jobs that are not created within a minute are freed by the sweeper. Throws
   * ContendedError, LogOverloadedError and LogUnavailableError.
   */
  async admit(
    tenantId: string,
    candidates: readonly Candidate[],
    { whole = false, reserve = true }: AdmissionOptions = {},
  ): Promise<readonly Admission[]> {
    const { state: quota } = await this.#cache.get(tenantId, TERMS_MAX_AGE_MS);
    if (!quota || candidates.length === 0) return candidates.map(() => ADMITTED);
    const refusals = this.#weigh(tenantId, quota.terms.limits, candidates);
    if (refusals && whole) return candidates.map((_, index) => refusals.get(index) ?? BATCH_REFUSED);
    const above = whole && this.#aboveLimit(tenantId, quota.terms, candidates.length);
    if (above) return candidates.map(() => above);
    const fitting = refusals ? candidates.filter((_, index) => !refusals.has(index)) : candidates;
    const admissions = needsLine(quota, this.#clock.now())
      ? await this.#lineUp(
          tenantId,
          fitting.map(({ jobId }) => jobId),
          whole,
          reserve,
        )
      : fitting.map(() => ADMITTED);
    if (!refusals) return admissions;
    const next = admissions.values();
    return candidates.map((_, index) => refusals.get(index) ?? next.next().value ?? ADMITTED);
  }

  /** Why a job that exists can't have this payload; undefined: it can. */
  async weigh(tenantId: string, payload: string): Promise<Refused | undefined> {
    const { state: quota } = await this.known(tenantId);
    return quota && this.#weigh(tenantId, quota.terms.limits, [{ payload }])?.get(0);
  }

  /** What this process has just written or read: it acts by it at once. */
  know(tenantId: string, known: KnownQuota): void {
    this.#cache.put(tenantId, known);
  }

  /** Payloads above the tenant's limit, by their index; undefined when there are none. */
  #weigh(
    tenantId: string,
    { payloadBytes }: QuotaLimits,
    candidates: readonly Pick<Candidate, 'payload'>[],
  ): ReadonlyMap<number, Refused> | undefined {
    if (payloadBytes === null) return undefined;
    const refusals = new Map<number, Refused>();
    let last: QuotaRefusal | undefined;
    candidates.forEach(({ payload }, index) => {
      const used = Buffer.byteLength(payload);
      if (used <= payloadBytes) return;
      last = { limit: 'payloadBytes', value: payloadBytes, used };
      refusals.set(index, exceeded(last));
    });
    if (!last) return undefined;
    this.#noted(tenantId, last, refusals.size, 'refused');
    return refusals;
  }

  /** Why an atomic batch of so many jobs never fits; undefined: it may. */
  #aboveLimit(tenantId: string, terms: QuotaTerms, jobs: number): Refused | undefined {
    const limit = limitOfBatches(terms, jobs);
    if (!limit) return undefined;
    const quota = { ...limit, used: jobs };
    this.#noted(tenantId, quota, jobs, 'refused');
    return { kind: 'refused', reason: 'batch_above_limit', quota };
  }

  async #lineUp(
    tenantId: string,
    jobIds: readonly string[],
    whole: boolean,
    reserve: boolean,
  ): Promise<readonly Admission[]> {
    if (jobIds.length === 0) return [];
    let line = this.#lines.get(tenantId);
    if (!line) {
      line = new AdmissionLine(tenantId, this.#lineDeps);
      this.#lines.set(tenantId, line);
    }
    try {
      return await line.add({ jobIds, whole, reserve });
    } finally {
      if (line.isIdle && this.#lines.get(tenantId) === line) this.#lines.delete(tenantId);
    }
  }

  #noted(tenantId: string, limit: QuotaRefusal, jobs: number, how: 'refused' | 'delayed'): void {
    this.#metrics.count(`quota_${how}_total`, jobs, { limit: limit.limit });
    this.#notes.add(tenantId, limit, jobs);
  }
}

const says = ({ state }: KnownQuota): boolean => state !== undefined && hasASay(state);

const needsLine = (quota: TenantQuota, now: number): boolean =>
  mustReserve(quota.terms) || rateOf(quota.terms.limits) !== undefined || isClosed(quota, now);
