import { pause } from '../commands/pause.ts';
import { LOG_START, type Position } from '../commands/ports.ts';
import { noMetrics } from '../commands/telemetry.ts';
import type { ProjectionEnvironment } from './environment.ts';
import type { ProjectionFault } from './fault.ts';
import { PositionWaiters } from './position-waiters.ts';
import type { Projection } from './projection.ts';

export interface ProjectionFreshness {
  readonly name: string;
  readonly version: number;
  /** waiting: no leader has taken it up yet. */
  readonly status: 'waiting' | 'live' | 'catching_up' | 'retrying' | 'faulted';
  /** How far it has come, and how far the log goes. */
  readonly position: Position;
  readonly head: Position;
  /** Events not applied yet, counted up to 1,000. */
  readonly lagEvents: number;
  /** Age of the oldest event not applied yet; 0 when there is none. */
  readonly lagMs: number;
  readonly eventsPerSecond: number;
  readonly lastError: ProjectionFault | null;
  /** Tables being built beside the live ones. */
  readonly building: { readonly version: number; readonly position: Position } | null;
}

const MOST_COUNTED = 1_000;
/** Behind by less than this is what being live means. */
const LIVE_MS = 2_000;

export interface FreshnessOptions {
  readonly environment: Omit<ProjectionEnvironment, 'lead' | 'decode'>;
  readonly projections: readonly Projection[];
}

/** How far the projections have come; in any process, whether it runs them or not. */
export class Freshness {
  readonly #options: FreshnessOptions;
  readonly #waiters: PositionWaiters;

  constructor(options: FreshnessOptions) {
    this.#options = options;
    this.#waiters = new PositionWaiters(() => this.#readPositions());
  }

  /** The runner of this process says how far it has come. */
  advanced(projection: string, position: Position): void {
    this.#waiters.advanced(projection, position);
  }

  /** true once everything up to the position is visible; false when the time is up or the projection is unknown. */
  async waitFor(projection: string, position: Position, timeoutMs: number): Promise<boolean> {
    if (!this.#options.projections.some(({ name }) => name === projection)) return false;
    return this.#waiters.waitFor(projection, position, timeoutMs);
  }

  async freshness(): Promise<readonly ProjectionFreshness[]> {
    const { environment, projections } = this.#options;
    // The head first: a projection may run ahead of it while we look, but never seems behind what it had applied.
    const head = await environment.log.head();
    const { rows } = await environment.pool.query<FreshnessRow>(READ);
    return Promise.all(projections.map((projection) => this.#describe(projection, rows, head)));
  }

  /** Reports the gauges every few seconds until the signal aborts. */
  async report(signal: AbortSignal, everyMs = 5_000): Promise<void> {
    const { metrics = noMetrics } = this.#options.environment;
    while (!signal.aborted) {
      for (const state of await this.freshness()) {
        const labels = { projection: state.name };
        metrics.gauge('projection_lag_seconds', state.lagMs / 1_000, labels);
        metrics.gauge('projection_lag_events', state.lagEvents, labels);
        metrics.gauge('projection_position', Number(state.position), labels);
        metrics.gauge(
          'projection_up',
          state.status === 'faulted' || state.status === 'waiting' ? 0 : 1,
          labels,
        );
      }
      await pause(everyMs, signal);
    }
  }

  async #describe(
    projection: Projection,
    rows: readonly FreshnessRow[],
    head: Position,
  ): Promise<ProjectionFreshness> {
    const { log, clock } = this.#options.environment;
    const live = rows.find((row) => row.projection === projection.name && row.status === 'live');
    const building = rows.find((row) => row.projection === projection.name && row.status === 'building');
    const position = live?.position ? BigInt(live.position) : LOG_START;
    const { prefixes } = projection;
    const behind =
      position >= head
        ? []
        : (await log.readLog(position, MOST_COUNTED, { prefixes, withoutContent: true })).events;
    const [oldest] = behind;
    const lagMs = oldest ? Math.max(0, clock.now() - oldest.recordedAt) : 0;
    return {
      name: projection.name,
      version: live?.version ?? projection.version,
      status: statusOf(live, lagMs),
      position,
      head,
      lagEvents: behind.length,
      lagMs,
      eventsPerSecond: live?.events_per_second ?? 0,
      lastError: live?.last_error ?? null,
      building: building
        ? { version: building.version, position: building.position ? BigInt(building.position) : LOG_START }
        : null,
    };
  }

  async #readPositions(): Promise<ReadonlyMap<string, Position>> {
    const { rows } = await this.#options.environment.pool.query<FreshnessRow>(READ);
    const live = rows.filter(({ status, position }) => status === 'live' && position !== null);
    return new Map(live.map(({ projection, position }) => [projection, BigInt(position ?? 0)]));
  }
}

interface FreshnessRow {
  readonly projection: string;
  readonly version: number;
  readonly status: 'live' | 'building';
  readonly position: string | null;
  readonly events_per_second: number;
  readonly last_error: ProjectionFault | null;
}

function statusOf(live: FreshnessRow | undefined, lagMs: number): ProjectionFreshness['status'] {
  if (!live?.position) return 'waiting';
  if (live.last_error) return live.last_error.faulted ? 'faulted' : 'retrying';
  return lagMs > LIVE_MS ? 'catching_up' : 'live';
}

/** A rate that was not renewed for seconds is the rate of then, not of now. */
const READ = `
select
  generation.projection,
  generation.version,
  generation.status,
  generation.last_error,
  checkpoint.position,
  case
    when checkpoint.updated_at > clock_timestamp() - interval '5 seconds' then checkpoint.events_per_second
    else 0
  end as events_per_second
from projection_generations generation
left join (
  select * from projection_checkpoints
  union all
  select * from projection_checkpoints_unlogged
) checkpoint using (projection, generation)
where generation.status in ('live', 'building')
order by generation.projection, generation.generation desc`;
