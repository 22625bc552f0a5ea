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
    // A result that JSON can't hold is the handler's mistake, and has to show as that.
    JSON.stringify(result);
    return result === undefined ? { outcome: 'completed' } : { outcome: 'completed', result };
  } catch (error) {
    return outcomeOfError(error, signal);
  }
}

function outcomeOfError(error: unknown, signal: AbortSignal): Outcome {
  if (signal.aborted && signal.reason instanceof AttemptAbortedError) {
    // What a handler throws after it was told to stop is an echo of that, not a failure of the job.
    if (signal.reason.why === 'cancel_requested') return { outcome: 'cancelled' };
    return { outcome: 'released', reason: signal.reason.message };
  }
  if (error instanceof ReleaseError)
    return { outcome: 'released', reason: error.message, runAt: error.runAt };
  const fatal = error instanceof FatalError;
  const retryAfterMs = error instanceof RetryAfterError ? error.retryAfterMs : undefined;
  return { outcome: 'failed', error: describe(error), fatal, retryAfterMs };
}

function describe(error: unknown): { type: string; message: string; stack?: string } {
  if (!(error instanceof Error)) return { type: 'Error', message: String(error).slice(0, 8_000) };
  const type = (error.name || 'Error').slice(0, 200);
  const message = error.message.slice(0, 8_000);
  return error.stack ? { type, message, stack: error.stack.slice(0, 32_000) } : { type, message };
}
