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
import { RightOfWay } from './right-of-way.ts';

/** Positions that projections are apart at most to read the log together. */
const TOGETHER: Position = 100_000n;

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
  const checkpoints = await readCheckpoints(options);
  const tail = new DecodedTail(environment, tailStart([...checkpoints.values()]), {
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
  const rightOfWay = new RightOfWay();
  const lanes = projections.map((projection) => {
    const startsAt = checkpoints.get(projection.name);
    return new Lane({ ...options, projection, tail, fence, rightOfWay, upgrade, startsAt });
  });
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

async function readCheckpoints({
  environment,
  projections,
}: RunnerOptions): Promise<ReadonlyMap<string, Position>> {
  const checkpoints = new Map<string, Position>();
  for (const projection of projections) {
    const generation = await liveGeneration(environment.pool, projection.name);
    const checkpoint = generation && (await readCheckpoint(environment.pool, projection, generation));
    if (checkpoint) checkpoints.set(projection.name, checkpoint.position);
  }
  return checkpoints;
}

/**
 * Where the furthest projection is, so that none waits for those that are far behind; or where the last of those is that
 * are about as far, as they all are after the service was down, so that the log is read once for all of them.
 */
function tailStart(checkpoints: readonly Position[]): Position {
  const descending = [...checkpoints].sort((left, right) => (left > right ? -1 : 1));
  const furthest = descending[0] ?? LOG_START;
  return descending.findLast((position) => position >= furthest - TOGETHER) ?? furthest;
}
