import { unreachable } from '../domain/decider.ts';
import type { JobCommand } from '../domain/job/commands.ts';
import { jobStream } from '../domain/job/stream.ts';
import type { DispatchDeps } from './dispatch-deps.ts';
import { loadJobs } from './load-jobs.ts';
import { pause } from './pause.ts';
import { onePerJob, type Placement, placementOf } from './placement.ts';
import type { DueTimer } from './ready-queue.ts';
import { SweepWindow } from './sweep-window.ts';
import { systemMetadata } from './system-metadata.ts';
import { noLogger, noMetrics } from './telemetry.ts';

export interface FireTimersDeps extends DispatchDeps {
  /** Told when jobs became ready. */
  readonly wake: () => void;
}

const EVERY_MS = 20;
/**
 * Jobs moved at once, at about 10 µs each: the first of many need not wait for the last, nor other jobs for long. In smaller
 * batches the last come later, as the workers that already have the first want the processors, too.
 */
const READY_BATCH = 5_000;
/** Before it is the turn of commands. */
const READY_BATCHES = 4;
const COMMAND_BATCH = 500;
/** When a timer whose command came to nothing is tried again. */
const AGAIN_MS = 10_000;

/**
 * Background task: jobs whose time has come become ready; attempts time out, deadlines pass, cancels are forced. Safe to
 * run in several processes, though one does. Rejects when the database or the log fails; start it again.
 */
export function fireTimers(deps: FireTimersDeps): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    const ready = new SweepWindow();
    const commands = new SweepWindow();
    while (!signal.aborted) {
      let fired = READY_BATCH;
      for (let batch = 0; batch < READY_BATCHES && fired === READY_BATCH; batch += 1)
        fired = await fireReady(deps, ready);
      const carriedOut = await carryOut(deps, commands);
      if (fired < READY_BATCH && carriedOut < COMMAND_BATCH) await pause(EVERY_MS, signal);
    }
  };
}

async function fireReady(deps: FireTimersDeps, window: SweepWindow): Promise<number> {
  const { readyQueue, clock, wake, metrics = noMetrics } = deps;
  const now = clock.now();
  const fired = await readyQueue.fireReadyTimers(now, window.from(now), READY_BATCH);
  if (fired < READY_BATCH) window.sweptUpTo(now);
  if (fired > 0) wake();
  if (fired > 0) metrics.count('ready_timers_fired_total', fired);
  return fired;
}

async function carryOut(deps: FireTimersDeps, window: SweepWindow): Promise<number> {
  const { readyQueue, clock, wake } = deps;
  const now = clock.now();
  const due = await readyQueue.takeDueTimers(now, window.from(now), now + AGAIN_MS, COMMAND_BATCH);
  if (due.length < COMMAND_BATCH) window.sweptUpTo(now);
  if (due.length === 0) return 0;
  const toPlace = [...(await runCommands(deps, due, now)), ...(await reconcile(deps, due))];
  await readyQueue.place(onePerJob(toPlace), clock.now());
  if (toPlace.some(({ kind }) => kind === 'ready')) wake();
  return due.length;
}

/** Answers where those jobs belong for which nothing had to be done. */
async function runCommands(
  { handler, clock, ids, logger = noLogger, metrics = noMetrics }: FireTimersDeps,
  due: readonly DueTimer[],
  at: number,
): Promise<readonly Placement[]> {
  const timers = due.filter((timer) => timer.kind !== 'reconcile');
  const causationId = ids.next();
  const handled = await handler.handle(
    timers.map((timer) => ({
      stream: jobStream(timer.tenantId, timer.jobId),
      command: commandOf(timer, at, ids.random()),
      metadata: systemMetadata('timers', timer.tenantId, causationId, at),
    })),
  );
  const toPlace: Placement[] = [];
  handled.forEach((result, index) => {
    const timer = timers[index];
    if (!timer) return;
    metrics.count('timer_commands_total', 1, { kind: timer.kind, outcome: result.kind });
    if (result.kind === 'contended') logger.debug({ timer }, 'timer comes again');
    else if (result.kind === 'unreadable') logger.error({ timer, err: result.error }, 'job cannot be read');
    // What was written reaches the tables through the log.
    else if (result.kind !== 'accepted' || result.events.length === 0)
      toPlace.push(placementOf(timer, result.revision, result.state, clock.now()));
  });
  return toPlace;
}

async function reconcile(deps: FireTimersDeps, due: readonly DueTimer[]): Promise<readonly Placement[]> {
  const timers = due.filter((timer) => timer.kind === 'reconcile');
  const now = deps.clock.now();
  const jobs = await loadJobs(deps, timers);
  return timers.flatMap((timer, index) => {
    const known = jobs[index];
    return known ? [placementOf(timer, known.revision, known.state, now)] : [];
  });
}

function commandOf(timer: DueTimer, at: number, jitter: number): JobCommand {
  switch (timer.kind) {
    case 'attempt_timeout':
      return { type: 'TimeOutAttempt', leaseId: timer.leaseId ?? '', jitter, at };
    case 'deadline':
      return { type: 'ExpireDeadline', at };
    case 'cancel_grace':
      return { type: 'ForceCancel', at };
    case 'reconcile':
      throw new Error('a reconcile timer has no command');
    default:
      return unreachable(timer.kind);
  }
}
