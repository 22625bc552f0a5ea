import { unreachable } from '../decider.ts';

/** When a failed attempt is tried again. Durations in milliseconds. */
export type RetryPolicy =
  | { readonly kind: 'exponential'; readonly baseMs: number; readonly factor: number; readonly maxMs: number }
  | { readonly kind: 'fixed'; readonly delayMs: number }
  | { readonly kind: 'steps'; readonly stepsMs: readonly number[] }
  | { readonly kind: 'none' };

export const DEFAULT_MAX_ATTEMPTS = 3;

export const DEFAULT_RETRY: RetryPolicy = { kind: 'exponential', baseMs: 1000, factor: 2, maxMs: 3_600_000 };

/** What the policy name `standard` stands for: 1 s, 5 s, 30 s, 2 min, 10 min. */
export const STANDARD_STEPS_MS: readonly number[] = [1000, 5000, 30_000, 120_000, 600_000];

/**
 * How long to wait after the given attempt (1, 2, …) failed, in whole milliseconds; undefined: the policy never retries.
 * Exponential delays are shortened by up to half, by the jitter (0 ≤ jitter < 1), so that jobs which failed together do
 * not come back together; `maxMs` stays the most. Fixed delays and steps are kept to the millisecond. After the last
 * step, it repeats.
 */
export function retryDelayMs(policy: RetryPolicy, attempt: number, jitter: number): number | undefined {
  switch (policy.kind) {
    case 'exponential': {
      // The bound keeps 0 × Infinity away when many attempts overflow the power.
      const growth = Math.min(policy.factor ** (attempt - 1), Number.MAX_VALUE);
      const delay = Math.min(policy.baseMs * growth, policy.maxMs);
      return Math.round(delay * (0.5 + jitter / 2));
    }
    case 'fixed':
      return policy.delayMs;
    case 'steps':
      return policy.stepsMs[Math.min(attempt, policy.stepsMs.length) - 1];
    case 'none':
      return undefined;
    default:
      return unreachable(policy);
  }
}

/** When the attempt after a failed one may start, in milliseconds since 1970; undefined: never. */
export function nextRetryAt(
  policy: RetryPolicy,
  failed: { readonly attempt: number; readonly at: number; readonly jitter: number },
): number | undefined {
  const delay = retryDelayMs(policy, failed.attempt, failed.jitter);
  return delay === undefined ? undefined : failed.at + delay;
}
