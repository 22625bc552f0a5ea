import { dayOf } from '../domain/tenant-quota/day.ts';
import { pause } from './pause.ts';
import { type Clock, type Ids, LogOverloadedError, LogUnavailableError } from './ports.ts';
import type { QuotaAccounts } from './quota-accounts.ts';
import type { QuotaHandler } from './quota-handler.ts';
import { systemMetadata } from './system-metadata.ts';
import { type Logger, type Metrics, noLogger, noMetrics } from './telemetry.ts';

export interface ResetQuotasDeps {
  readonly accounts: QuotaAccounts;
  readonly handler: QuotaHandler;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
}

const EVERY_MS = 5_000;
const BATCH = 200;

/**
 * Background task: after midnight UTC begins the day of tenants that nobody enqueues for, so that their history says so.
 * (A reservation begins the day by itself.) Rejects when the database fails.
 */
export function resetQuotas(deps: ResetQuotasDeps): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    while (!signal.aborted) {
      const { accounts, clock, metrics = noMetrics } = deps;
      const now = clock.now();
      const tenants = await accounts.withOlderDay(dayOf(now), BATCH);
      const reset = await Promise.all(tenants.map((tenantId) => beginDay(deps, tenantId, now)));
      const begun = reset.filter(Boolean).length;
      if (begun > 0) metrics.count('quota_resets_total', begun);
      metrics.gauge('quota_task_ran_at', now / 1_000, { task: 'reset' });
      await pause(begun === BATCH ? 0 : EVERY_MS, signal);
    }
  };
}

async function beginDay(
  { handler, ids, logger = noLogger }: ResetQuotasDeps,
  tenantId: string,
  at: number,
): Promise<boolean> {
  try {
    const answer = await handler.handle({
      command: { type: 'ResetQuota', by: 'day', at },
      metadata: systemMetadata('quota-reset', tenantId, ids.next(), at),
    });
    return answer.kind === 'accepted' && answer.events.length > 0;
  } catch (err) {
    if (err instanceof LogUnavailableError || err instanceof LogOverloadedError) throw err;
    // One tenant's trouble must not keep the others' day.
    logger.error({ err, tenantId }, 'quota cannot be reset');
    return false;
  }
}
