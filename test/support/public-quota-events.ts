import { type EventLog, NO_STREAM } from '../../src/commands/ports.ts';
import { tenantQuotaCodec } from '../../src/commands/tenant-quota-codec.ts';
import type { QuotaExceeded, QuotaReset, TenantQuotaEvent } from '../../src/domain/tenant-quota/events.ts';
import { DEFAULT_TERMS } from '../../src/domain/tenant-quota/limits.ts';
import type { TenantQuota } from '../../src/domain/tenant-quota/state.ts';
import { quotaStream } from '../../src/domain/tenant-quota/stream.ts';

const terms = { ...DEFAULT_TERMS, limits: { ...DEFAULT_TERMS.limits, jobsPerDay: 100 } };

export const quotaAfter = (given: Partial<TenantQuota> = {}): TenantQuota => ({
  terms,
  unfinished: 1,
  day: 20_778,
  usedToday: 100,
  usedAhead: 0,
  settledThrough: '0',
  exceededAt: {},
  ...given,
});

export const quotaExceeded = (given: Partial<QuotaExceeded['data']> = {}): QuotaExceeded => ({
  type: 'QuotaExceeded',
  data: { limit: 'jobsPerDay', value: 100, used: 100, refused: 3, after: quotaAfter(), ...given },
});

export const quotaReset = (given: Partial<QuotaReset['data']> = {}): QuotaReset => ({
  type: 'QuotaReset',
  data: { by: 'day', used: 100, after: quotaAfter({ usedToday: 0 }), ...given },
});

/** One of each kind, with all that it may hold. */
export const QUOTA_EVENTS: readonly TenantQuotaEvent[] = [
  { type: 'QuotaInitialized', data: { terms, reason: 'signed up', after: quotaAfter() } },
  { type: 'QuotaLimitsChanged', data: { terms, reason: 'paid', after: quotaAfter() } },
  { type: 'QuotaReserved', data: { reservationId: 'r1', jobIds: ['j1'], ahead: 0, after: quotaAfter() } },
  {
    type: 'QuotaReleased',
    data: { through: '9', released: 1, adopted: 0, revived: 0, duplicates: [], after: quotaAfter() },
  },
  quotaExceeded({ resetAt: Date.UTC(2026, 10, 22) }),
  quotaReset({ by: 'person', reason: 'goodwill' }),
  { type: 'TenantSuspended', data: { mode: 'all', reason: 'unpaid', until: 9, after: quotaAfter() } },
  { type: 'TenantResumed', data: { reason: 'paid', after: quotaAfter() } },
];

/** Gives a tenant without a quota stream one. */
export async function appendQuota(
  log: EventLog,
  tenantId: string,
  events: readonly TenantQuotaEvent[] = QUOTA_EVENTS,
): Promise<void> {
  const metadata = {
    tenantId,
    actor: { id: 'test', auth: 'system' },
    correlationId: 'c-1',
    causationId: 'k-1',
    occurredAt: Date.UTC(2026, 10, 21),
  } as const;
  const encoded = events.map((event) => tenantQuotaCodec.encode(event, metadata));
  await log.append([{ stream: quotaStream(tenantId), expectedRevision: NO_STREAM, events: encoded }]);
}
