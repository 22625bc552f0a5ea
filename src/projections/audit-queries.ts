import type { Page, PageRequest } from './queries.ts';

/** What an audit looks for; absent members do not narrow. Times are milliseconds since 1970. */
export interface AuditFilter {
  /** null: everything, also what concerns all tenants. */
  readonly tenantId: string | null;
  readonly actor?: string | undefined;
  readonly actions?: readonly string[] | undefined;
  readonly jobId?: string | undefined;
  /** Inclusive. */
  readonly from?: number | undefined;
  /** Exclusive. */
  readonly to?: number | undefined;
}

export interface AuditRow {
  /** null: it concerns all tenants, or several. */
  readonly tenantId: string | null;
  readonly stream: string;
  readonly revision: number;
  readonly at: number;
  readonly actor: { readonly id: string; readonly auth: string };
  readonly action: string;
  readonly subject: string;
  readonly jobId: string | null;
  readonly reason: string | null;
  readonly requestId: string | null;
  readonly correlationId: string;
  /** JSON */
  readonly details: string;
}

export interface AuditQueries {
  /** Newest first. */
  listAudit(filter: AuditFilter, page: PageRequest): Promise<Page<AuditRow>>;
}
