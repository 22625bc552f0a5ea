import { mustReserve } from '../domain/tenant-quota/limits.ts';
import { rateOf } from '../domain/tenant-quota/rate-bucket.ts';
import { ADMITTED, type Admission, exceeded, isClosed, suspended } from './admission.ts';
import { type Pace, takePace } from './enqueue-pace.ts';
import { LogOverloadedError } from './ports.ts';
import type { RateBuckets } from './rate-buckets.ts';
import {
  findSlots,
  REFUSAL_MAX_AGE_MS,
  reserveSlots,
  type SlotDeps,
  type Slots,
  TERMS_MAX_AGE_MS,
} from './slot-reservation.ts';
import type { QuotaRefusal } from './use-cases.ts';

export interface LineDeps extends SlotDeps {
  readonly buckets: RateBuckets;
  /** Jobs were refused, or put off. */
  readonly noted: (tenantId: string, limit: QuotaRefusal, jobs: number, how: 'refused' | 'delayed') => void;
}

/** Jobs of one call, no two the same. */
export interface Party {
  readonly jobIds: readonly string[];
  /** All of them, or none. */
  readonly whole: boolean;
  /** false: only look whether there are slots; such jobs are counted when they appear. */
  readonly reserve: boolean;
}

interface Waiting extends Party {
  readonly resolve: (admissions: readonly Admission[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Jobs in one reservation. */
const MAX_BATCH = 1_000;
/** Jobs that may wait; more are turned away with LogOverloadedError. */
const MAX_WAITING = 50_000;
const RETRY_AFTER_MS = 250;

/**
 * The calls of one tenant that want jobs admitted. One reservation is under way at a time; those who come meanwhile
 * share the next one, first come first served. Nobody waits for a batch to fill.
 */
export class AdmissionLine {
  readonly #tenantId: string;
  readonly #deps: LineDeps;
  #waiting: Waiting[] = [];
  #waitingJobs = 0;
  #running = false;

  constructor(tenantId: string, deps: LineDeps) {
    this.#tenantId = tenantId;
    this.#deps = deps;
  }

  get isIdle(): boolean {
    return !this.#running;
  }

  add(party: Party): Promise<readonly Admission[]> {
    if (this.#waitingJobs + party.jobIds.length > MAX_WAITING)
      return Promise.reject(new LogOverloadedError(RETRY_AFTER_MS));
    const { promise, resolve, reject } = Promise.withResolvers<readonly Admission[]>();
    this.#waiting.push({ ...party, resolve, reject });
    this.#waitingJobs += party.jobIds.length;
    if (!this.#running) {
      this.#running = true;
      // Calls of the same moment come together.
      setImmediate(() => void this.#run());
    }
    return promise;
  }

  async #run(): Promise<void> {
    for (let batch = this.#takeBatch(); batch.length > 0; batch = this.#takeBatch()) {
      try {
        const admissions = await this.#admit(together(batch));
        let from = 0;
        for (const { jobIds, resolve } of batch) {
          resolve(admissions.slice(from, from + jobIds.length));
          from += jobIds.length;
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#running = false;
  }

  /** All or none is decided for one call alone. */
  #takeBatch(): readonly Waiting[] {
    const [first] = this.#waiting;
    if (!first) return [];
    const jobs = new Set<string>();
    let size = 0;
    for (const { jobIds, whole, reserve } of this.#waiting) {
      const goesAlong = !whole && !first.whole && reserve === first.reserve;
      // A job that two calls ask for gets two reservations: in one of them it would count twice and be freed once.
      const fits = jobs.size + jobIds.length <= MAX_BATCH && !jobIds.some((jobId) => jobs.has(jobId));
      if (size > 0 && !(goesAlong && fits)) break;
      for (const jobId of jobIds) jobs.add(jobId);
      size += 1;
    }
    const batch = this.#waiting.slice(0, size);
    this.#waiting = this.#waiting.slice(size);
    for (const { jobIds } of batch) this.#waitingJobs -= jobIds.length;
    return batch;
  }

  async #admit(party: Party): Promise<readonly Admission[]> {
    const { cache, clock } = this.#deps;
    const { jobIds, whole } = party;
    let { state: quota } = await cache.get(this.#tenantId, TERMS_MAX_AGE_MS);
    if (quota && isClosed(quota, clock.now()))
      ({ state: quota } = await cache.get(this.#tenantId, REFUSAL_MAX_AGE_MS));
    if (!quota) return jobIds.map(() => ADMITTED);
    if (isClosed(quota, clock.now())) {
      const refusal = suspended(quota);
      return jobIds.map(() => refusal);
    }
    const { terms } = quota;
    const rate = rateOf(terms.limits);
    // Jobs without a slot must not use up the rate by asking.
    const found = rate && mustReserve(terms) ? await this.#slots({ ...party, reserve: false }) : undefined;
    if (found && 'kind' in found) return jobIds.map(() => found);
    if (found?.granted === 0) return this.#compose(party, undefined, found);
    const within = jobIds.slice(0, found?.granted);
    const options = {
      wanted: within.length,
      whole,
      delay: terms.onExceed === 'delay',
      now: clock.now(),
    };
    const pace = rate && (await takePace(this.#deps.buckets, this.#tenantId, rate, options));
    const paced = within.slice(0, pace?.granted);
    const slots = await this.#slots({ ...party, jobIds: paced });
    return 'kind' in slots ? jobIds.map(() => slots) : this.#compose(party, pace, slots, found);
  }

  async #slots({ jobIds, whole, reserve }: Party): ReturnType<typeof reserveSlots> {
    if (jobIds.length === 0) return { granted: 0, ahead: 0, aheadAt: 0 };
    return reserve
      ? reserveSlots(this.#deps, this.#tenantId, jobIds, whole)
      : findSlots(this.#deps, this.#tenantId, jobIds.length, whole);
  }

  /** `found`: the slots there were before the rate was asked. */
  #compose(
    { jobIds }: Party,
    pace: Pace | undefined,
    slots: Slots,
    found?: Slots | undefined,
  ): readonly Admission[] {
    const now = this.#deps.clock.now();
    const { reservationId } = slots;
    const within = found?.granted ?? jobIds.length;
    const paced = pace?.granted ?? within;
    const aheadFrom = slots.granted - slots.ahead;
    const noRoom = found?.refusal && exceeded(found.refusal);
    const noSlot = slots.refusal && exceeded(slots.refusal);
    const admitted: Admission = { kind: 'admitted', reservationId };
    let late = 0;
    const admissions = jobIds.map((_, index): Admission => {
      if (index >= within && noRoom) return noRoom;
      if (index >= paced && pace?.refusal) return exceeded(pace.refusal(index));
      if (index >= slots.granted && noSlot) return noSlot;
      const wait = pace?.dueInMs(index) ?? 0;
      const byPace = wait > 0 ? now + wait : 0;
      if (wait > 0) late += 1;
      const runAt = Math.max(byPace, index >= aheadFrom ? slots.aheadAt : 0);
      return runAt > 0 ? { kind: 'admitted', reservationId, runAt } : admitted;
    });
    this.#note(found?.refusal, jobIds.length - within, 'refused');
    this.#note(pace?.refusal?.(paced), within - paced, 'refused');
    this.#note(slots.refusal, paced - slots.granted, 'refused');
    this.#note(pace?.limit, late, 'delayed');
    this.#note(slots.postponed, slots.ahead, 'delayed');
    return admissions;
  }

  #note(limit: QuotaRefusal | undefined, jobs: number, how: 'refused' | 'delayed'): void {
    if (limit && jobs > 0) this.#deps.noted(this.#tenantId, limit, jobs, how);
  }
}

function together(batch: readonly Waiting[]): Party {
  const [first] = batch;
  if (first && batch.length === 1) return first;
  const jobIds = batch.flatMap((waiting) => waiting.jobIds);
  return { jobIds, whole: false, reserve: first?.reserve ?? true };
}
