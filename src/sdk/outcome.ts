import { AttemptAbortedError, FatalError, ReleaseError, RetryAfterError } from './errors.ts';
import type { ClaimedJob, WorkerAcknowledgement } from './transport.ts';

type Handler = (job: ClaimedJob, attempt: { readonly signal: AbortSignal }) => unknown;

type Without<Union, Key extends PropertyKey> = Union extends unknown ? Omit<Union, Key> : never;
export type Outcome = Without<WorkerAcknowledgement, 'leaseToken'>;

/** Runs a handler and says what to report: what it returned, or what its error asks for. Never rejects. */
export async function outcomeOf(
  handler: Handler | undefined,
  job: ClaimedJob,
  signal: AbortSignal,
): Promise<Outcome> {
  if (!handler) return { outcome: 'released', reason: `this worker has no handler for ${job.type}` };
  try {
    const result = await handler(job, { signal });
    if (result === undefined) return { outcome: 'completed' };
    // A result that JSON can't hold is the handler's mistake, and has to show as that.
    if (JSON.stringify(result) === undefined) throw new TypeError(`a ${typeof result} can't be a result`);
    return { outcome: 'completed', result };
  } catch (error) {
    return outcomeOfError(error, signal);
  }
}

function outcomeOfError(error: unknown, signal: AbortSignal): Outcome {
  if (signal.aborted && signal.reason instanceof AttemptAbortedError) {
    // What a handler throws after it was told to stop is an echo of that, not a failure of the job.
    if (signal.reason.why === 'cancel_requested') return { outcome: 'cancelled' };
    // Mostly the service has said so already; where it has not, the attempt must count all the same.
    if (signal.reason.why === 'timed_out')
      return {
        outcome: 'failed',
        error: { type: 'AttemptTimedOut', message: signal.reason.message },
        fatal: false,
      };
    return { outcome: 'released', reason: signal.reason.message };
  }
  if (error instanceof ReleaseError)
    return { outcome: 'released', reason: text(error.message, 500) || 'released', runAt: error.runAt };
  const fatal = error instanceof FatalError;
  const retryAfterMs = error instanceof RetryAfterError ? milliseconds(error.retryAfterMs) : undefined;
  return { outcome: 'failed', error: describe(error), fatal, retryAfterMs };
}

/** The outcome of an attempt whose result the service would not take. */
export function outcomeOfRefusedResult(refusal: Error): Outcome {
  const error = { type: 'ResultNotAccepted', message: text(refusal.message, 8_000) };
  return { outcome: 'failed', error, fatal: false };
}

function describe(error: unknown): { type: string; message: string; stack?: string } {
  if (!(error instanceof Error)) return { type: 'Error', message: text(stringOf(error), 8_000) };
  const described = { type: text(error.name || 'Error', 200), message: text(error.message, 8_000) };
  return error.stack ? { ...described, stack: text(error.stack, 32_000) } : described;
}

/** Anything can be thrown, also what has no string form. */
function stringOf(value: unknown): string {
  try {
    return String(value);
  } catch {
    return typeof value;
  }
}

/** What the service takes as a string: no NUL, no half of a character. */
const text = (raw: string, length: number): string =>
  String(raw).slice(0, length).replaceAll('\0', '\u{fffd}').toWellFormed();

const YEAR_MS = 366 * 86_400_000;
const milliseconds = (ms: number): number | undefined =>
  Number.isFinite(ms) ? Math.min(YEAR_MS, Math.max(0, Math.round(ms))) : undefined;
