import { pause } from './pause.ts';
import { type Clock, type Ids, LogOverloadedError, LogUnavailableError } from './ports.ts';
import type { AccountWithSlots, QuotaAccount, QuotaAccounts } from './quota-accounts.ts';
import type { QuotaHandler } from './quota-handler.ts';
import { systemMetadata } from './system-metadata.ts';
import { type Logger, type Metrics, noLogger, noMetrics } from './telemetry.ts';

export interface SettleQuotasDeps {
  readonly accounts: QuotaAccounts;
  readonly handler: QuotaHandler;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
}

/** Looking through very many tenants may take at most this part of the time, as long as nobody waits too long for it. */
const LOOKING_SHARE = 1 / 10;
const EVERY_MS = 50;
const LONGEST_PAUSE_MS = 500;
/** A tenant far below its limits waits this long from one event to the next: nobody is refused for it. */
const RELAXED_MS = 1_000;
/** Tenants settled at once. */
const BATCH = 100;
/** What was settled so long ago need not be remembered. */
const FORGET_MS = 10_000;
const FAILED_MS = 5_000;

/** What was done about a tenant lately. */
export interface Recent {
  /** Found with something to settle, not settled yet. */
  since: number | undefined;
  settledAt: number;
  /** Of the event that settled it. An account that has not seen it would only be refused. */
  revision: number;
  failedAt: number;
}

/**
 * Background task: tells each tenant's quota what its jobs have freed. Any number may run, one is enough: a settlement
 * counts on from where the last one stopped, and from nowhere else. Rejects when the database or the log fails.
 */
export function settleQuotas(deps: SettleQuotasDeps): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    const recent = new Map<string, Recent>();
    while (!signal.aborted) {
      const lookedMs = await settleDue(deps, recent, signal);
      await pause(Math.min(LONGEST_PAUSE_MS, Math.max(EVERY_MS, lookedMs / LOOKING_SHARE)), signal);
    }
  };
}

/**
 * Settles every tenant that is due. `recent` is the caller's memory from one time to the next. Answers how long it took to
 * find them, in milliseconds.
 */
export async function settleDue(
  deps: SettleQuotasDeps,
  recent: Map<string, Recent>,
  signal: AbortSignal,
): Promise<number> {
  const { accounts, clock, metrics = noMetrics } = deps;
  let lookedMs = 0;
  const unsettled = new Set<string>();
  for (let after = ''; !signal.aborted; ) {
    const startedAt = performance.now();
    const page = await accounts.unsettled(after, BATCH);
    lookedMs += performance.now() - startedAt;
    const now = clock.now();
    for (const { tenantId } of page) unsettled.add(tenantId);
    const due = page.filter((account) => isDue(account, remember(recent, account, now), now));
    await Promise.all(
      due.map(async (account) => {
        const known = remember(recent, account, now);
        const settled = await settle(deps, { account, waiting: [] });
        if (settled.kind === 'failed') known.failedAt = now;
        if (settled.kind !== 'settled') return;
        known.since = undefined;
        known.settledAt = now;
        known.revision = settled.revision;
      }),
    );
    const last = page.at(-1);
    if (!last || page.length < BATCH) break;
    after = last.tenantId;
  }
  const now = clock.now();
  metrics.gauge('quota_settle_lag_seconds', longestLag(recent, unsettled, now) / 1_000);
  metrics.gauge('quota_task_ran_at', now / 1_000, { task: 'settle' });
  return lookedMs;
}

/** In milliseconds. Tenants that somebody else has settled are not waiting any more. */
function longestLag(recent: Map<string, Recent>, unsettled: ReadonlySet<string>, now: number): number {
  let longest = 0;
  for (const [tenantId, known] of recent) {
    if (!unsettled.has(tenantId)) known.since = undefined;
    if (known.since !== undefined) longest = Math.max(longest, now - known.since);
    else if (Math.abs(now - known.settledAt) > FORGET_MS) recent.delete(tenantId);
  }
  return longest;
}

const NEVER = Number.NEGATIVE_INFINITY;

function remember(recent: Map<string, Recent>, { tenantId }: QuotaAccount, now: number): Recent {
  const known = recent.get(tenantId);
  if (known) {
    known.since ??= now;
    return known;
  }
  const found = { since: now, settledAt: NEVER, revision: -1, failedAt: NEVER };
  recent.set(tenantId, found);
  return found;
}

/** Slots that are free but not settled yet could refuse somebody only near the limit. */
function isDue({ quota, revision, adopted }: QuotaAccount, known: Recent, now: number): boolean {
  if (revision < known.revision || Math.abs(now - known.failedAt) < FAILED_MS) return false;
  const { unfinishedJobs, jobsPerDay } = quota.terms.limits;
  const near =
    (unfinishedJobs !== null && 2 * quota.unfinished >= unfinishedJobs) ||
    (jobsPerDay !== null && adopted > 0 && 2 * (quota.usedToday + adopted) >= jobsPerDay);
  return near || Math.abs(now - known.settledAt) >= RELAXED_MS;
}

export type Settled =
  /** The revision of the event. */
  | { readonly kind: 'settled'; readonly revision: number }
  /** Somebody else has settled the tenant since the account was read, or others won every race for the stream. */
  | { readonly kind: 'refused' }
  /** The tenant's stream can't be read. */
  | { readonly kind: 'failed' };

/** Writes what an account has counted, and frees the slots that are given. Rejects when the log fails. */
export async function settle(
  { handler, clock, ids, logger = noLogger, metrics = noMetrics }: SettleQuotasDeps,
  { account, waiting }: AccountWithSlots,
): Promise<Settled> {
  const { tenantId, quota, revision, position, released, adopted, revived } = account;
  const at = clock.now();
  const slots = waiting.map(({ jobId, reservationId }) => ({ jobId, reservationId }));
  try {
    const answer = await handler.handle({
      command: {
        type: 'Settle',
        after: quota.settledThrough,
        through: position,
        released: released + slots.length,
        adopted,
        revived,
        duplicates: slots,
        at,
      },
      metadata: systemMetadata('quota-settler', tenantId, ids.next(), at),
      assume: { state: quota, revision },
    });
    if (answer.kind !== 'accepted') return { kind: 'refused' };
    metrics.count('quota_settlements_total');
    metrics.count('quota_slots_released_total', released + slots.length);
    return { kind: 'settled', revision: answer.revision };
  } catch (err) {
    if (err instanceof LogUnavailableError || err instanceof LogOverloadedError) throw err;
    // One tenant's trouble must not keep the others' slots.
    logger.error({ err, tenantId }, 'quota cannot be settled');
    return { kind: 'failed' };
  }
}
