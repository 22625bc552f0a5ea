import type { Refused } from '../../commands/use-cases.ts';
import type { ProblemOptions } from './problems.ts';
import { formatOptionalTime, formatTime } from './rfc3339.ts';

/** After this, a caller may ask again when nobody can say when there is room: jobs finish, and people resume tenants. */
const SOMETIME_MS = 1_000;
const PAUSED_MS = 30_000;

/** What a refusal says about the tenant's quota or suspension; empty for all others. */
export function quotaDetails({ reason, quota, suspension }: Refused): ProblemOptions & { detail?: string } {
  if (quota?.limit === 'payloadBytes') {
    const { limit, value, used } = quota;
    return {
      detail: `the payload has ${used} bytes; the tenant's limit payloadBytes is ${value}`,
      quota: { limit, value, used, resetAt: null },
    };
  }
  if (quota && reason === 'batch_above_limit') {
    const { limit, value, used } = quota;
    return {
      detail: `an atomic batch of ${used} jobs never fits: the tenant's limit ${limit} is ${value}; send smaller batches, or leave out "atomic"`,
      quota: { limit, value, used, resetAt: null },
    };
  }
  if (quota) {
    const { limit, value, used, resetAt, retryAfterMs = SOMETIME_MS } = quota;
    const until = resetAt === undefined ? '' : `; it begins anew at ${formatTime(resetAt)}`;
    return {
      detail: `the tenant's limit ${limit} is ${value}, and ${used} are used${until}`,
      quota: { limit, value, used, resetAt: formatOptionalTime(resetAt) },
      retryAfterMs,
      // Beside the policies that setRateLimit has said already.
      headers: { ratelimit: `"${limit}";r=0;t=${Math.max(1, Math.ceil(retryAfterMs / 1_000))}` },
    };
  }
  if (reason === 'tenant_suspended') {
    const { reason: why = 'suspended', until } = suspension ?? {};
    return {
      detail: `the tenant is paused: ${why}${until === undefined ? '' : `; until ${formatTime(until)}`}`,
      suspension: { reason: why, until: formatOptionalTime(until) },
      retryAfterMs: PAUSED_MS,
    };
  }
  return {};
}
