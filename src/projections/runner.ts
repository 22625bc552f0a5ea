import { setMaxListeners } from 'node:events';
import { LOG_START, type Position } from '../commands/ports.ts';
import { readCheckpoint } from './checkpoint.ts';
import { DecodedTail } from './decoded-tail.ts';
import type { ProjectionEnvironment } from './environment.ts';
import { liveGeneration } from './generations.ts';
import { Lane, type LaneOptions } from './lane.ts';
import { prepareProjections } from './prepare.ts';
import type { Projection } from './projection.ts';
import { rebuild } from './rebuild.ts';

export interface RunnerOptions {
  readonly environment: ProjectionEnvironment;
  readonly projections: readonly Projection[];
  /** Told how far each projection has come, for readers in this process that wait for a position. */
  readonly advanced: LaneOptions['advanced'];
  /** How long a faulted projection rests before its event is tried again. Default 30 s. */
  readonly faultPauseMs?: number;
}

/**
 * Keeps all projections up to date whenever this process is the leader, until the signal aborts. One leader runs all of
 * them, so that the log is read and decoded once; the fence in every checkpoint keeps a replaced leader from writing.
 */
export async function runProjections(options: RunnerOptions, signal: AbortSignal): Promise<void> {
  await prepareProjections(options.environment.pool, options.projections);
  await options.environment.lead({
    name: 'projections',
    signal,
    task: (leading, fence) => runLanes(options, fence, leading),
  });
}

async function runLanes(options: RunnerOptions, fence: bigint, signal: AbortSignal): Promise<void> {
  const { environment, projections } = options;
  const tail = new DecodedTail(environment, await furthest(options), {
    prefixes: [...new Set(projections.flatMap(({ prefixes }) => prefixes))],
    withoutContent: !projections.some(({ needsContent }) => needsContent),
  });
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  // Every lane waits on it: many listeners are no leak here.
  setMaxListeners(0, stop);
  const upgrade = async (projection: Projection, leading: AbortSignal) => {
    await rebuild({ environment, projection, signal: leading });
  };
  const lanes = projections.map((projection) => new Lane({ ...options, projection, tail, fence, upgrade }));
  const running = [tail, ...lanes].map(async (part) => {
    try {
      await part.run(stop);
    } finally {
      failed.abort();
    }
  });
  const outcomes = await Promise.allSettled(running);
  for (const outcome of outcomes) if (outcome.status === 'rejected' && !signal.aborted) throw outcome.reason;
}

/** The tail starts where the furthest projection is, so that none waits for those that are far behind. */
async function furthest({ environment, projections }: RunnerOptions): Promise<Position> {
  let position = LOG_START;
  for (const projection of projections) {
    const generation = await liveGeneration(environment.pool, projection.name);
    const checkpoint = generation && (await readCheckpoint(environment.pool, projection, generation));
    if (checkpoint && checkpoint.position > position) position = checkpoint.position;
  }
  return position;
}
