import type { LimitName, QuotaTerms } from './limits.ts';
import type { Suspension, TenantQuota } from './state.ts';

interface After {
  /** The state after the event: one event, read backwards, is enough to know the tenant. */
  readonly after: TenantQuota;
}

export interface QuotaInitialized {
  readonly type: 'QuotaInitialized';
  readonly data: { readonly terms: QuotaTerms; readonly reason?: string | undefined } & After;
}

export interface QuotaLimitsChanged {
  readonly type: 'QuotaLimitsChanged';
  readonly data: { readonly terms: QuotaTerms; readonly reason?: string | undefined } & After;
}

/** Slots for jobs that are created next. A job that is not created within a minute is voided, which frees its slot. */
export interface QuotaReserved {
  readonly type: 'QuotaReserved';
  readonly data: {
    readonly reservationId: string;
    readonly jobIds: readonly string[];
    /** How many of them count for the day after (onExceed delay). */
    readonly ahead: number;
  } & After;
}

/** What has happened to jobs between two positions of the log. A pure function of the log, so repeating it changes nothing. */
export interface QuotaReleased {
  readonly type: 'QuotaReleased';
  readonly data: {
    /** Position, as a decimal number, up to which everything is counted now. */
    readonly through: string;
    /** Slots freed: jobs finished, voided, or reserved twice. */
    readonly released: number;
    /** Jobs that came without a reservation: before there were limits, by a transaction or an event. */
    readonly adopted: number;
    /** Finished jobs that a person brought back. */
    readonly revived: number;
    /** Reservations of jobs that another reservation created: freed by this event, and included in `released`. */
    readonly duplicates: readonly { readonly reservationId: string; readonly jobId: string }[];
  } & After;
}

/** The first refusal of a while, then one a minute with how many there were. */
export interface QuotaExceeded {
  readonly type: 'QuotaExceeded';
  readonly data: {
    readonly limit: LimitName;
    readonly value: number;
    readonly used: number;
    /** Jobs refused (or put off) since the event before this one. */
    readonly refused: number;
    /** When there is room again, as far as that is known. */
    readonly resetAt?: number | undefined;
  } & After;
}

export interface QuotaReset {
  readonly type: 'QuotaReset';
  readonly data: {
    /** day: midnight UTC has passed; person: somebody gave the tenant its day back. */
    readonly by: 'day' | 'person';
    /** What had been used. */
    readonly used: number;
    readonly reason?: string | undefined;
  } & After;
}

export interface TenantSuspended {
  readonly type: 'TenantSuspended';
  readonly data: Omit<Suspension, 'since'> & After;
}

export interface TenantResumed {
  readonly type: 'TenantResumed';
  readonly data: { readonly reason?: string | undefined } & After;
}

export type TenantQuotaEvent =
  | QuotaInitialized
  | QuotaLimitsChanged
  | QuotaReserved
  | QuotaReleased
  | QuotaExceeded
  | QuotaReset
  | TenantSuspended
  | TenantResumed;
