import type { LimitName, QuotaTerms } from './limits.ts';

interface At {
  /** Milliseconds since 1970. */
  readonly at: number;
}

export type TenantQuotaCommand =
  /** QuotaInitialized on a new stream, else QuotaLimitsChanged; nothing when the terms are those already. */
  | ({
      readonly type: 'SetTerms';
      readonly terms: QuotaTerms;
      readonly reason?: string | undefined;
    } & At)
  /** Grants as many as fit, first come first served; `whole`: all or none. A new day is begun first (QuotaReset). */
  | ({
      readonly type: 'Reserve';
      readonly reservationId: string;
      readonly jobIds: readonly string[];
      readonly whole: boolean;
    } & At)
  /** What the settler counted after `after` up to `through`; refused unless `after` is what is settled. */
  | ({
      readonly type: 'Settle';
      readonly after: string;
      readonly through: string;
      readonly released: number;
      readonly adopted: number;
      readonly revived: number;
      readonly duplicates: readonly { readonly reservationId: string; readonly jobId: string }[];
    } & At)
  | ({
      readonly type: 'NoteExceeded';
      readonly limit: LimitName;
      readonly value: number;
      readonly used: number;
      readonly refused: number;
      readonly resetAt?: number | undefined;
    } & At)
  /** day: nothing unless `at` is in a later day than the state's. person: usedToday and usedAhead become 0. */
  | ({
      readonly type: 'ResetQuota';
      readonly by: 'day' | 'person';
      readonly reason?: string | undefined;
    } & At)
  | ({
      readonly type: 'SuspendTenant';
      readonly mode: 'claims' | 'all';
      readonly reason: string;
      readonly until?: number | undefined;
    } & At)
  | ({ readonly type: 'ResumeTenant'; readonly reason?: string | undefined } & At);

export type TenantQuotaCommandOf<Type extends TenantQuotaCommand['type']> = Extract<
  TenantQuotaCommand,
  { readonly type: Type }
>;

export type TenantQuotaRejection =
  /** Reserve: not one (with `whole`: not all) of the jobs fits; the state says which limit. */
  | 'quota_exceeded'
  /** Reserve: suspended with mode all. */
  | 'tenant_suspended'
  /** Settle: counted from another point than what is settled; look again. */
  | 'not_settled_there';
