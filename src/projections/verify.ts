import { NotComparableError } from './compare-tables.ts';
import type { Comparison } from './compare-with-live.ts';
import type { ProjectionEnvironment } from './environment.ts';
import type { Projection } from './projection.ts';
import { rebuild } from './rebuild.ts';
import type { RebuildProgress } from './rebuild-progress.ts';

export interface VerifyRequest {
  readonly environment: ProjectionEnvironment;
  readonly projection: Projection;
  readonly signal: AbortSignal;
  readonly tenant?: string | undefined;
  readonly onProgress?: ((progress: RebuildProgress) => void) | undefined;
  /** Differing rows shown for each table. Default 10. */
  readonly sampleLimit?: number | undefined;
}

/**
 * Folds the log with the projection's own code and compares every row of the live tables, exactly and while they are
 * being written; nothing is changed. Rejects with NotComparableError for projections whose tables others write too, and
 * as rebuild does.
 */
export async function verify(request: VerifyRequest): Promise<Comparison> {
  if (request.projection.repair) {
    throw new NotComparableError(
      `${request.projection.name} is changed by others too: the log alone can't verify it`,
    );
  }
  const { comparison } = await rebuild({ ...request, dryRun: true });
  if (!comparison) throw new NotComparableError(`${request.projection.name} could not be compared`);
  return comparison;
}
