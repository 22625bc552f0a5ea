import type { ProjectionEnvironment } from './environment.ts';
import type { Projection } from './projection.ts';

/** Longer than a killed builder's lease lives on. */
const WAIT_MS = 8_000;

/** Runs work as the only builder of a projection's tables, apart from the runner that keeps the live ones up to date. */
export async function underRebuildLeadership<Result>(
  {
    environment,
    projection,
    signal,
  }: {
    readonly environment: ProjectionEnvironment;
    readonly projection: Projection;
    readonly signal: AbortSignal;
  },
  work: (signal: AbortSignal, fence: bigint) => Promise<Result>,
): Promise<Result> {
  let done: { readonly result: Result } | undefined;
  await environment.lead({
    name: `rebuild:${projection.name}`,
    signal,
    waitMs: WAIT_MS,
    task: async (leading, fence) => {
      done = { result: await work(leading, fence) };
    },
  });
  if (done) return done.result;
  signal.throwIfAborted();
  throw new Error(`the work on ${projection.name} ended without a result`);
}
