import { LOG_START, type Position } from '../commands/ports.ts';
import {
  discardGeneration,
  discardLeftOvers,
  discardOlder,
  finishGeneration,
  startGeneration,
} from './build-generation.ts';
import { readCheckpoint } from './checkpoint.ts';
import { type Comparison, compareWithLive } from './compare-with-live.ts';
import type { ProjectionEnvironment } from './environment.ts';
import { freezeGeneration } from './freeze.ts';
import { liveGeneration, physicalName } from './generations.ts';
import type { Projection } from './projection.ts';
import { underRebuildLeadership } from './rebuild-leadership.ts';
import { ProgressReport, type RebuildProgress } from './rebuild-progress.ts';
import { repairInPlace } from './repair-in-place.ts';
import { replaceTenantRows } from './replace-tenant-rows.ts';
import { type Replay, replay } from './replay.ts';
import { swap } from './swap.ts';

export interface RebuildRequest {
  readonly environment: ProjectionEnvironment;
  readonly projection: Projection;
  readonly signal: AbortSignal;
  readonly onProgress?: ((progress: RebuildProgress) => void) | undefined;
  /** Only this tenant: its rows are put right in the live tables, all others stay. */
  readonly tenant?: string | undefined;
  /** Replay no further than this: the tables as of then are kept beside the live ones, under names of their own. */
  readonly toPosition?: Position | undefined;
  /** The same by the time events were recorded, milliseconds since 1970. */
  readonly toTime?: number | undefined;
  /** Only say what would change. */
  readonly dryRun?: boolean | undefined;
  /** Differing rows shown for each table. Default 10. */
  readonly sampleLimit?: number | undefined;
}

export interface RebuildReport {
  readonly projection: string;
  readonly version: number;
  readonly events: number;
  readonly seconds: number;
  /** How the tables shown before differed; null when the version was raised, as rows then differ on purpose. */
  readonly comparison: Comparison | null;
  /** swapped: all tables are new; replaced: the tenant's rows are; frozen: see tables; repaired: by the projection. */
  readonly outcome: 'swapped' | 'replaced' | 'frozen' | 'dry_run' | 'repaired';
  /** Physical names of the tables that were made and kept. */
  readonly tables: readonly string[];
}

/**
 * Builds a projection's tables from the log beside the live ones and shows them, while the service runs. A rebuild that
 * dies leaves the live tables as they are and is started again from the beginning. Rejects with LeadershipTakenError
 * when the projection is being rebuilt or verified elsewhere, with NotComparableError, and with UnknownEventError.
 */
export async function rebuild(request: RebuildRequest): Promise<RebuildReport> {
  return underRebuildLeadership(request, (signal, fence) => rebuildAsLeader({ ...request, signal }, fence));
}

async function rebuildAsLeader(request: RebuildRequest, fence: bigint): Promise<RebuildReport> {
  const { environment, projection, signal, tenant, toTime, toPosition, dryRun = false } = request;
  const report = new ProgressReport(request.onProgress);
  if (projection.repair && (await repairFits(request))) {
    report.enter('repairing');
    await repairInPlace(request);
    return reportOf(request, report, { outcome: 'repaired', comparison: null, tables: [] });
  }
  await discardLeftOvers(environment, projection);
  const partial = tenant !== undefined || toPosition !== undefined || toTime !== undefined;
  const generation = await startGeneration(
    environment,
    projection,
    dryRun || partial ? 'scratch' : 'building',
    fence,
  );
  const job: Replay = {
    environment,
    projection,
    generation,
    fence,
    tenant,
    toTime,
    signal,
    onPage: (events, position) => report.page(events, position),
  };
  try {
    if (toPosition !== undefined || toTime !== undefined) return await rebuildThen(request, job, report);
    if (dryRun || tenant !== undefined) return await rebuildRows(request, job, report);
    return await rebuildAll(request, job, report);
  } catch (error) {
    // With the database gone this fails too; the next rebuild drops what is left.
    const stillOurs = (await liveGeneration(environment.pool, projection.name).catch(() => undefined))
      ?.generation;
    if (stillOurs !== generation.generation) {
      await discardGeneration(environment, projection, generation).catch(() => undefined);
    }
    throw error;
  }
}

/** Everything: build, index, compare, catch up, swap. */
async function rebuildAll(
  request: RebuildRequest,
  job: Replay,
  report: ProgressReport,
): Promise<RebuildReport> {
  const { environment, projection, sampleLimit = 10 } = request;
  const { generation } = job;
  const live = await liveGeneration(environment.pool, projection.name);
  const comparable = live?.version === projection.version && (await livePosition(request)) !== undefined;
  let position = await build(request, job, report, comparable ? await livePosition(request) : undefined);
  report.enter('indexing');
  await finishGeneration(environment, projection, generation, job.signal);
  let comparison: Comparison | null = null;
  if (comparable) {
    report.enter('comparing');
    position = await replay(job, position, await livePosition(request));
    comparison = await compareWithLive(job, position, { sampleLimit });
    position = comparison.position;
  }
  report.enter('catching_up', await environment.log.head());
  position = await replay(job, position);
  report.enter('swapping');
  await swap(job, position);
  await discardOlder(environment, projection);
  const tables = generation.tables.map((table) => physicalName(table, generation));
  return reportOf(request, report, { outcome: 'swapped', comparison, tables });
}

/** One tenant's rows, or only the question what would change: no tables stay. */
async function rebuildRows(
  request: RebuildRequest,
  job: Replay,
  report: ProgressReport,
): Promise<RebuildReport> {
  const { environment, projection, dryRun = false, sampleLimit = 10 } = request;
  const position = await build(request, job, report, (await livePosition(request)) ?? LOG_START);
  report.enter('comparing');
  const comparison = await compareWithLive(job, position, { sampleLimit });
  if (!dryRun) {
    report.enter('swapping');
    await replaceTenantRows(job, comparison.position);
  }
  await discardGeneration(environment, projection, job.generation);
  return reportOf(request, report, { outcome: dryRun ? 'dry_run' : 'replaced', comparison, tables: [] });
}

/** The tables as they were at an earlier moment: kept to look at, or only compared with today's. */
async function rebuildThen(
  request: RebuildRequest,
  job: Replay,
  report: ProgressReport,
): Promise<RebuildReport> {
  const { environment, projection, dryRun = false, sampleLimit = 10 } = request;
  const { generation } = job;
  const position = await build(request, job, report, await endOf(request));
  report.enter('comparing');
  const comparison = await compareWithLive(job, position, { sampleLimit, asIs: true });
  if (dryRun) {
    await discardGeneration(environment, projection, generation);
    return reportOf(request, report, { outcome: 'dry_run', comparison, tables: [] });
  }
  report.enter('indexing');
  await finishGeneration(environment, projection, generation, job.signal);
  await freezeGeneration(environment, projection, generation);
  const tables = generation.tables.map((table) => physicalName(table, generation));
  return reportOf(request, report, { outcome: 'frozen', comparison, tables });
}

/** A position that the log has not reached is no end to reckon with. */
async function endOf({ environment, toPosition }: RebuildRequest): Promise<Position | undefined> {
  if (toPosition === undefined) return undefined;
  const head = await environment.log.head();
  return toPosition < head ? toPosition : head;
}

async function build(
  { environment }: RebuildRequest,
  job: Replay,
  report: ProgressReport,
  to: Position | undefined,
): Promise<Position> {
  report.enter('replaying', to ?? (await environment.log.head()));
  return replay(job, LOG_START, to);
}

/** New tables, for those who keep their tables here, take a build even where everything else is a repair. */
async function repairFits({ environment, projection }: RebuildRequest): Promise<boolean> {
  const live = await liveGeneration(environment.pool, projection.name);
  return projection.tables.length === 0 || live?.version === projection.version;
}

async function livePosition({ environment, projection }: RebuildRequest): Promise<Position | undefined> {
  const live = await liveGeneration(environment.pool, projection.name);
  const checkpoint = live && (await readCheckpoint(environment.pool, projection, live));
  return checkpoint?.position;
}

function reportOf(
  { projection }: RebuildRequest,
  { events, seconds }: ProgressReport,
  rest: Pick<RebuildReport, 'outcome' | 'comparison' | 'tables'>,
): RebuildReport {
  return { projection: projection.name, version: projection.version, events, seconds, ...rest };
}
