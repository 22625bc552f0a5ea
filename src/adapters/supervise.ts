import { pause } from '../commands/pause.ts';
import { type Logger, type Metrics, noLogger, noMetrics } from '../commands/telemetry.ts';

export interface SuperviseOptions {
  /** Label of the metrics and log lines. */
  readonly name: string;
  /** Runs until the signal aborts; ending earlier, in whatever way, makes it start again. */
  readonly task: (signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  /** First pause before a restart; doubles with every failure in a row. Default 200 ms. */
  readonly firstPauseMs?: number;
  /** Longest pause. Default 10 s. */
  readonly longestPauseMs?: number;
  /** A run that lasted this long counts as healthy and starts the pauses over. Default 30 s. */
  readonly healthyMs?: number;
  /** How long a task may take to end after the abort before it is left behind. Default 8 s. */
  readonly stopMs?: number;
  /** 0 ≤ n < 1, for jitter. */
  readonly random?: () => number;
}

/**
 * Runs a background task for ever, restarting it after a growing, jittered pause. Resolves once the signal has aborted
 * and the task has ended, or stopMs after the abort at the latest. Never rejects.
 */
export async function supervise(options: SuperviseOptions): Promise<void> {
  const { name, signal, logger = noLogger, metrics = noMetrics } = options;
  const { firstPauseMs = 200, longestPauseMs = 10_000, healthyMs = 30_000, random = Math.random } = options;
  let failures = 0;
  while (!signal.aborted) {
    const startedAt = performance.now();
    metrics.gauge('background_running', 1, { task: name });
    const ended = await runOnce(options);
    metrics.gauge('background_running', 0, { task: name });
    if (ended.how === 'left_behind') {
      logger.error({ task: name }, 'background task did not stop in time');
      return;
    }
    if (signal.aborted) return;
    failures = performance.now() - startedAt >= healthyMs ? 1 : failures + 1;
    const ceilingMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 30));
    const pauseMs = Math.round(ceilingMs * (0.5 + random() / 2));
    metrics.count('background_restarts_total', 1, { task: name });
    logger.warn(
      { task: name, err: ended.error, failures, pauseMs },
      'background task ended; starting it again',
    );
    await pause(pauseMs, signal);
  }
}

interface Ended {
  readonly how: 'ended' | 'left_behind';
  readonly error?: unknown;
}

async function runOnce({ task, signal, stopMs = 8_000 }: SuperviseOptions): Promise<Ended> {
  const finished = new AbortController();
  const running = invoke(task, signal).finally(() => finished.abort());
  const stopped = await Promise.race([running, overdue(signal, stopMs, finished.signal)]);
  return stopped === 'finished' ? running : stopped;
}

async function invoke(task: SuperviseOptions['task'], signal: AbortSignal): Promise<Ended> {
  try {
    await task(signal);
    return { how: 'ended' };
  } catch (error) {
    return { how: 'ended', error };
  }
}

/** Resolves when the task has finished, and stopMs after the signal's abort at the latest. */
async function overdue(
  signal: AbortSignal,
  stopMs: number,
  finished: AbortSignal,
): Promise<Ended | 'finished'> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const onAbort = () => resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  finished.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) resolve();
  await promise;
  signal.removeEventListener('abort', onAbort);
  await pause(stopMs, finished);
  return finished.aborted ? 'finished' : { how: 'left_behind' };
}
