import type { QuotaGate } from './quota-gate.ts';
import type { Metrics } from './telemetry.ts';
import type { UseCases } from './use-cases.ts';

/** Labels that a figure has at most. */
const MOST_PLANS = 20;

/** Measures how long jobs were ready before an attempt started, by the plan of their tenant. */
export function observeWaits(
  claimJobs: UseCases['claimJobs'],
  gate: Pick<QuotaGate, 'lastKnown'>,
  metrics: Metrics,
): UseCases['claimJobs'] {
  const plans = new Set<string>();
  const labelOf = (tenantId: string): string => {
    const plan = gate.lastKnown(tenantId)?.state?.terms.plan;
    if (plan === undefined) return 'none';
    if (plans.size < MOST_PLANS) plans.add(plan);
    return plans.has(plan) ? plan : 'other';
  };
  return async (...given) => {
    const claims = await claimJobs(...given);
    for (const { snapshot } of claims) {
      const { job, tenantId } = snapshot;
      if (!job.lease) continue;
      const waitedMs = Math.max(0, job.lease.startedAt - job.runAt);
      metrics.observe('job_wait_seconds', waitedMs / 1_000, { plan: labelOf(tenantId) });
    }
    return claims;
  };
}
