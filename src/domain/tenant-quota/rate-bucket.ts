import type { QuotaLimits } from './limits.ts';

/** A rate that holds in the long run, and how much of it may come at once. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export const rateOf = ({ enqueuesPerSecond, enqueueBurst }: QuotaLimits): Rate | undefined =>
  enqueuesPerSecond === null
    ? undefined
    : { perSecond: enqueuesPerSecond, burst: enqueueBurst ?? enqueuesPerSecond };

/** A bucket fills as jobs come and drains at the tenant's rate; what would not fit must wait until it has drained. */
export interface RateBucket {
  /** Jobs in it. Above the burst: jobs that were put off. */
  readonly level: number;
  /** Up to when draining is counted, milliseconds since 1970. */
  readonly drainedAt: number;
}

export interface Asked extends Rate {
  readonly wanted: number;
  /** How far ahead a job may be put off; 0: not at all. */
  readonly aheadMs: number;
  /** All that is wanted, or none. */
  readonly whole: boolean;
}

export interface Taken {
  /** The first ones of those wanted. */
  readonly granted: number;
  /** When the first one is due, from now; 0 or less: now. Each one after it is due 1000 / perSecond later. */
  readonly firstDueInMs: number;
}

/** A clock that goes back by less is waited for; by more, it was wrong before: draining goes on from what it says now. */
export const SET_BACK_MS = 10_000;

/** Sums of fractions fall a little short of the whole number that they stand for. */
const ROUNDING = 0.001;

export function takeFrom(
  bucket: RateBucket | undefined,
  { perSecond, burst, wanted, aheadMs, whole }: Asked,
  now: number,
): { readonly bucket: RateBucket; readonly taken: Taken } {
  const before = bucket && bucket.drainedAt <= now + SET_BACK_MS ? bucket.drainedAt : now;
  const drainedAt = Math.max(now, before);
  const drained = (perSecond * (drainedAt - before)) / 1000;
  const most = burst + (perSecond * aheadMs) / 1000;
  // What came under wider terms may be more than ever fits now: it would take days to drain.
  const level = Math.max(0, Math.min(most, bucket?.level ?? 0) - drained);
  const room = Math.floor(most - level + ROUNDING);
  const fitting = Math.max(0, Math.min(wanted, room));
  const granted = whole && fitting < wanted ? 0 : fitting;
  return {
    bucket: { level: level + granted, drainedAt },
    taken: { granted, firstDueInMs: ((level + 1 - burst) * 1000) / perSecond },
  };
}

/** When job number `index` of those asked for is due, from now. */
export const dueInMs = ({ firstDueInMs }: Taken, { perSecond }: Rate, index: number): number =>
  Math.max(0, Math.ceil(firstDueInMs + (index * 1000) / perSecond - ROUNDING));
