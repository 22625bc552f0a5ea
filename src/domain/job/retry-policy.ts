/** When a failed attempt is tried again. Durations in milliseconds. */
export type RetryPolicy =
  | { readonly kind: 'exponential'; readonly baseMs: number; readonly factor: number; readonly maxMs: number }
  | { readonly kind: 'fixed'; readonly delayMs: number }
  | { readonly kind: 'steps'; readonly stepsMs: readonly number[] }
  | { readonly kind: 'none' };
