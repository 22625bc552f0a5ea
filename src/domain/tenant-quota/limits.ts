/** What one tenant may use; null: as much as it likes. Names are those of the API, the CLI and the refusals. */
export interface QuotaLimits {
  /** Jobs enqueued from one UTC midnight to the next. */
  readonly jobsPerDay: number | null;
  /** Jobs that are neither completed, cancelled, dead-lettered nor purged. */
  readonly unfinishedJobs: number | null;
  /** Attempts that run at once. Never refuses anything: what is above it waits. */
  readonly runningJobs: number | null;
  /** Jobs enqueued each second, in the long run. */
  readonly enqueuesPerSecond: number | null;
  /** Jobs enqueued at once after a rest; null: one second's worth. */
  readonly enqueueBurst: number | null;
  /** UTF-8 bytes of one payload. */
  readonly payloadBytes: number | null;
}

export type LimitName = keyof QuotaLimits;

export const LIMIT_NAMES = [
  'jobsPerDay',
  'unfinishedJobs',
  'runningJobs',
  'enqueuesPerSecond',
  'enqueueBurst',
  'payloadBytes',
] as const satisfies readonly LimitName[];

export const UNLIMITED: QuotaLimits = {
  jobsPerDay: null,
  unfinishedJobs: null,
  runningJobs: null,
  enqueuesPerSecond: null,
  enqueueBurst: null,
  payloadBytes: null,
};

/** What a tenant is held to, by a plan or by itself. */
export interface QuotaTerms {
  /** Name of the plan that these terms come from; absent: set for this tenant alone. */
  readonly plan?: string | undefined;
  readonly limits: QuotaLimits;
  /** delay: what is above jobsPerDay or the rate is accepted for later, up to one more day's worth. */
  readonly onExceed: 'reject' | 'delay';
  /** Turns in dispatch beside other tenants: 1..100. */
  readonly weight: number;
}

export const DEFAULT_TERMS: QuotaTerms = { limits: UNLIMITED, onExceed: 'reject', weight: 1 };

/** Whether jobs have to be reserved before they are created. */
export const mustReserve = ({ limits }: QuotaTerms): boolean =>
  limits.jobsPerDay !== null || limits.unfinishedJobs !== null;
