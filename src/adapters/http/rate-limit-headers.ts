import type { FastifyReply } from 'fastify';
import { beginDay } from '../../domain/tenant-quota/decide-jobs.ts';
import { rateOf } from '../../domain/tenant-quota/rate-bucket.ts';
import type { TenantQuota } from '../../domain/tenant-quota/state.ts';
import type { ServerParts } from './server-parts.ts';

const DAY_MS = 86_400_000;

/** What is left of a tenant's limits, as draft-ietf-httpapi-ratelimit-headers-10 has it. */
export async function setRateLimit(
  reply: FastifyReply,
  { tenancy, clock }: Pick<ServerParts, 'tenancy' | 'clock'>,
  tenantId: string,
): Promise<void> {
  try {
    const { state } = await tenancy.known(tenantId);
    if (state) reply.headers(rateLimitHeaders(state, clock.now()));
  } catch {
    // The answer itself stands, with or without.
  }
}

/** How much of the rate is left is known to the database alone: of it there is the policy only. */
function rateLimitHeaders(quota: TenantQuota, now: number): Record<string, string> {
  const { jobsPerDay, unfinishedJobs } = quota.terms.limits;
  const policies: string[] = [];
  const headers: Record<string, string> = {};
  if (jobsPerDay !== null) {
    policies.push(`"jobsPerDay";q=${jobsPerDay};w=${DAY_MS / 1_000}`);
    const left = Math.max(0, jobsPerDay - beginDay(quota, now).current.usedToday);
    const reset = Math.ceil((DAY_MS - (now % DAY_MS)) / 1_000);
    headers.ratelimit = `"jobsPerDay";r=${left};t=${reset}`;
  }
  if (unfinishedJobs !== null) policies.push(`"unfinishedJobs";q=${unfinishedJobs}`);
  const rate = rateOf(quota.terms.limits);
  if (rate) {
    policies.push(`"enqueuesPerSecond";q=${rate.burst};w=${Math.ceil(rate.burst / rate.perSecond)}`);
  }
  if (policies.length > 0) headers['ratelimit-policy'] = policies.join(', ');
  return headers;
}
