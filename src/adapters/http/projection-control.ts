import type { Clock, Position } from '../../commands/ports.ts';
import type { Freshness, ProjectionFreshness } from '../../projections/freshness.ts';
import type { RebuildReport, RebuildRequest } from '../../projections/rebuild.ts';
import { HttpProblem } from './problems.ts';
import type { ProjectionControl, RebuildOptions, RebuildState } from './server-parts.ts';

/** Starts a rebuild of a projection by its name; rejects with code leadership_taken when somebody else is at it. */
export type StartRebuild = (
  name: string,
  options: RebuildOptions & Required<Pick<RebuildRequest, 'onProgress' | 'signal'>>,
) => Promise<RebuildReport>;

/** Rejects with code nothing_to_roll_back, or leadership_taken when the projection is being rebuilt. */
export type Rollback = (name: string, signal: AbortSignal) => Promise<Position>;

export interface ProjectionControlOptions {
  readonly freshness: Pick<Freshness, 'freshness' | 'waitFor'>;
  readonly rebuild: StartRebuild;
  readonly rollback: Rollback;
  readonly clock: Clock;
  /** Ends the rebuilds that run. */
  readonly signal: AbortSignal;
}

const BELIEVED_MS = 500;
const NOTHING_YET = { events: 0, totalEvents: 0, done: 0, eventsPerSecond: 0, etaMs: null };

/** The read models as the API sees them: how fresh they are, and rebuilds running in this process. */
export function projectionControl(options: ProjectionControlOptions): ProjectionControl {
  const { freshness, clock, signal } = options;
  const rebuilds = new Map<string, RebuildState>();
  let known: { readonly states: Promise<readonly ProjectionFreshness[]>; readonly at: number } | undefined;

  function recent(): Promise<readonly ProjectionFreshness[]> {
    const now = clock.now();
    if (known && Math.abs(now - known.at) < BELIEVED_MS) return known.states;
    const states = freshness.freshness();
    known = { states, at: now };
    states.catch(() => {
      if (known?.states === states) known = undefined;
    });
    return states;
  }

  async function run(name: string, request: RebuildOptions, started: RebuildState): Promise<void> {
    const update = (change: Partial<RebuildState>) =>
      rebuilds.set(name, { ...(rebuilds.get(name) ?? started), ...change });
    try {
      const onProgress: RebuildRequest['onProgress'] = ({ phase, ...progress }) =>
        update({ phase, progress });
      const report = await options.rebuild(name, { ...request, onProgress, signal });
      update({ phase: 'done', report, finishedAt: clock.now() });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      update({ phase: 'failed', error: message, errorCode: codeOf(error), finishedAt: clock.now() });
    }
  }

  return {
    async list() {
      const states = await freshness.freshness();
      return states.map((state) => ({ ...state, rebuild: rebuilds.get(state.name) ?? null }));
    },
    rebuild(name, request) {
      if (rebuilds.get(name)?.finishedAt === null) throw new HttpProblem('already-rebuilding');
      const started: RebuildState = {
        phase: 'starting',
        startedAt: clock.now(),
        finishedAt: null,
        progress: NOTHING_YET,
        report: null,
        error: null,
        errorCode: null,
      };
      rebuilds.set(name, started);
      void run(name, request, started);
    },
    rollback: (name) => options.rollback(name, signal),
    waitFor: (name, position, timeoutMs) => freshness.waitFor(name, position, timeoutMs),
    freshness: async (name) => (await recent()).find((state) => state.name === name),
  };
}

const codeOf = (error: unknown): string | null =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
