import { NO_STREAM } from '../../commands/ports.ts';
import { unreachable } from '../../domain/decider.ts';
import { beginDay } from '../../domain/tenant-quota/decide-jobs.ts';
import type { QuotaTerms } from '../../domain/tenant-quota/limits.ts';
import { isSuspended, type TenantQuota } from '../../domain/tenant-quota/state.ts';
import type { QuotaHistoryRow, TenantUsage } from '../../projections/quota-queries.ts';
import type { Quota, QuotaHistoryEntry } from './contract/quotas.ts';
import type { Tenant } from './contract/tenants.ts';
import { formatOptionalTime, formatTime } from './rfc3339.ts';

const DAY_MS = 86_400_000;

export interface QuotaFacts {
  readonly tenantId: string;
  readonly quota: TenantQuota | undefined;
  /** null: not known of the time that is asked about. */
  readonly revision: number | null;
  /** By the read model; undefined: nothing was ever enqueued, or not known for this time. */
  readonly usage: TenantUsage | undefined;
  /** What a tenant without a quota of its own will be held to. */
  readonly initialTerms: QuotaTerms;
  readonly now: number;
}

export function quotaView({ tenantId, quota, revision, usage, initialTerms, now }: QuotaFacts): Quota {
  const terms = quota?.terms ?? initialTerms;
  // A day that has begun needs no event.
  const current = quota && beginDay(quota, now).current;
  return {
    tenantId,
    revision,
    ...termsView(terms),
    usage: {
      jobsPerDay: current?.usedToday ?? usage?.usedToday ?? 0,
      ahead: current?.usedAhead ?? usage?.usedAhead ?? 0,
      // What has ended is settled a moment later.
      unfinishedJobs: usage?.unfinished ?? quota?.unfinished ?? 0,
      runningJobs: usage?.running ?? null,
    },
    resetAt: formatTime((Math.floor(now / DAY_MS) + 1) * DAY_MS),
    suspended: suspensionView(quota, now),
  };
}

export function tenantView(usage: TenantUsage, initialTerms: QuotaTerms, now: number): Tenant {
  const { tenantId: id, quota, revision, updatedAt } = usage;
  const facts = { tenantId: id, quota: quota ?? undefined, revision: revision ?? NO_STREAM };
  const { tenantId: _, ...view } = quotaView({ ...facts, usage, initialTerms, now });
  return { id, ...view, updatedAt: formatTime(updatedAt) };
}

export const historyView = (row: QuotaHistoryRow): QuotaHistoryEntry => ({
  at: formatTime(row.at),
  position: row.position,
  actor: row.actor,
  change: changeView(row),
  after: {
    terms: termsView(row.quota.terms),
    usage: {
      jobsPerDay: row.quota.usedToday,
      ahead: row.quota.usedAhead,
      unfinishedJobs: row.quota.unfinished,
    },
    suspended: suspensionView(row.quota, row.at),
  },
});

function changeView(row: QuotaHistoryRow): QuotaHistoryEntry['change'] {
  switch (row.kind) {
    case 'initialized':
    case 'limits_changed':
      return { kind: row.kind, ...row.details, terms: termsView(row.details.terms) };
    case 'exceeded':
      return { kind: row.kind, ...row.details, resetAt: formatOptionalTime(row.details.resetAt) };
    case 'suspended':
      return { kind: row.kind, ...row.details, until: formatOptionalTime(row.details.until) };
    case 'usage':
      return { kind: row.kind, ...row.details };
    case 'reset':
      return { kind: row.kind, ...row.details };
    case 'resumed':
      return { kind: row.kind, ...row.details };
    default:
      return unreachable(row);
  }
}

const termsView = ({ plan, limits, onExceed, weight }: QuotaTerms) => ({
  plan: plan ?? null,
  limits,
  onExceed,
  weight,
});

function suspensionView(quota: TenantQuota | undefined, now: number): Quota['suspended'] {
  if (!quota?.suspension || !isSuspended(quota, now)) return null;
  const { mode, reason, since, until } = quota.suspension;
  return { mode, reason, since: formatTime(since), until: formatOptionalTime(until) };
}
