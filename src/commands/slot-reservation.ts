import { startOfDay } from '../domain/tenant-quota/day.ts';
import { beginDay } from '../domain/tenant-quota/decide-jobs.ts';
import { headroomOf } from '../domain/tenant-quota/headroom.ts';
import { mustReserve } from '../domain/tenant-quota/limits.ts';
import type { TenantQuota } from '../domain/tenant-quota/state.ts';
import { quotaStream } from '../domain/tenant-quota/stream.ts';
import { isClosed, quotaRefusal, suspended } from './admission.ts';
import { ContendedError } from './contended-error.ts';
import type { Clock, Ids } from './ports.ts';
import type { QuotaCache } from './quota-cache.ts';
import type { QuotaHandler } from './quota-handler.ts';
import { systemMetadata } from './system-metadata.ts';
import { type Metrics, noMetrics } from './telemetry.ts';
import type { QuotaRefusal, Refused } from './use-cases.ts';

export interface SlotDeps {
  readonly handler: QuotaHandler;
  readonly cache: QuotaCache;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly metrics?: Metrics | undefined;
}

/** The first `granted` of the jobs have slots. */
export interface Slots {
  readonly granted: number;
  /** Of those, the last ones count for the next day. */
  readonly ahead: number;
  /** When that day begins, milliseconds since 1970. */
  readonly aheadAt: number;
  readonly reservationId?: string | undefined;
  /** Why the others have none; absent: all have. */
  readonly refusal?: QuotaRefusal | undefined;
  /** Why some are for the next day; absent: none is. */
  readonly postponed?: QuotaRefusal | undefined;
}

/** A refusal is based on nothing older than this. */
export const REFUSAL_MAX_AGE_MS = 50;
/** How old the terms may be that let a job in without asking the log. */
export const TERMS_MAX_AGE_MS = 1_000;
/** Lost races for the tenant's stream; other processes and the settler write to it as well. */
const MAX_TRIES = 24;
const MAX_JITTER_MS = 20;

/**
 * Takes slots for as many of the jobs as there is room for (`whole`: for all or none). What is granted is proven by the
 * append at the revision that it was decided on, so processes that know old things can't grant too much. Throws
 * ContendedError, and what the log throws.
 */
export async function reserveSlots(
  deps: SlotDeps,
  tenantId: string,
  jobIds: readonly string[],
  whole: boolean,
): Promise<Slots | Refused> {
  const { handler, cache, clock, ids, metrics = noMetrics } = deps;
  const reservationId = ids.next();
  let known = await cache.get(tenantId, TERMS_MAX_AGE_MS);
  for (let tries = 1; ; tries += 1) {
    const at = clock.now();
    if (!known.state || !mustReserve(known.state.terms)) return allOf(jobIds.length);
    const answer = await handler.attempt({
      command: { type: 'Reserve', reservationId, jobIds, whole, at },
      metadata: systemMetadata('quota', tenantId, reservationId, at),
      assume: known,
    });
    if (answer.kind === 'accepted') {
      const { state, revision, events } = answer;
      cache.put(tenantId, { state, revision });
      const reserved = events.find((event) => event.type === 'QuotaReserved');
      if (!reserved || !state) throw new Error(`${quotaStream(tenantId)}: nothing was reserved`);
      const granted = reserved.data.jobIds.length;
      metrics.count('quota_reservations_total');
      metrics.count('quota_reserved_jobs_total', granted);
      return {
        granted,
        ...postponing(state, reserved.data.ahead),
        reservationId,
        refusal: granted < jobIds.length ? quotaRefusal(state, 1, at) : undefined,
      };
    }
    if (answer.kind === 'conflict') {
      metrics.count('quota_conflicts_total');
      if (tries === MAX_TRIES) throw new ContendedError(quotaStream(tenantId));
      if (tries > 1) await jitter(ids);
      known = await cache.refresh(tenantId);
      continue;
    }
    const current = await cache.get(tenantId, REFUSAL_MAX_AGE_MS);
    if (current.revision === known.revision) return refusalFor(current.state, jobIds.length, whole, at);
    if (tries === MAX_TRIES) throw new ContendedError(quotaStream(tenantId));
    known = current;
  }
}

/** The same, but nothing is taken. */
export async function findSlots(
  { cache, clock }: SlotDeps,
  tenantId: string,
  wanted: number,
  whole: boolean,
): Promise<Slots | Refused> {
  const { state } = await cache.get(tenantId, REFUSAL_MAX_AGE_MS);
  if (!state || !mustReserve(state.terms)) return allOf(wanted);
  const now = clock.now();
  const { current } = beginDay(state, now);
  const { today, ahead } = headroomOf(current);
  const granted = Math.min(wanted, today + ahead);
  if (isClosed(state, now) || granted < (whole ? wanted : 1)) return refusalFor(state, wanted, whole, now);
  return {
    granted,
    ...postponing(current, Math.max(0, granted - today)),
    refusal: granted < wanted ? quotaRefusal(current, granted + 1, now) : undefined,
  };
}

function refusalFor(
  quota: TenantQuota | undefined,
  wanted: number,
  whole: boolean,
  now: number,
): Slots | Refused {
  if (quota && isClosed(quota, now)) return suspended(quota);
  const refusal = quota && quotaRefusal(quota, whole ? wanted : 1, now);
  if (!refusal) throw new Error('refused without a reason');
  return { granted: 0, ahead: 0, aheadAt: 0, refusal };
}

function postponing(
  { day, usedToday, terms }: TenantQuota,
  ahead: number,
): Pick<Slots, 'ahead' | 'aheadAt' | 'postponed'> {
  const aheadAt = startOfDay(day + 1);
  const value = terms.limits.jobsPerDay;
  if (ahead === 0 || value === null) return { ahead, aheadAt };
  return { ahead, aheadAt, postponed: { limit: 'jobsPerDay', value, used: usedToday, resetAt: aheadAt } };
}

const allOf = (granted: number): Slots => ({ granted, ahead: 0, aheadAt: 0 });

/** Losers of a race must not all come back at once. */
const jitter = (ids: Ids): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ids.random() * MAX_JITTER_MS));
