import type { Position } from '../commands/ports.ts';
import { discardLeftOvers } from './build-generation.ts';
import { readCheckpoint, setFence } from './checkpoint.ts';
import type { ProjectionEnvironment } from './environment.ts';
import { readGenerations } from './generations.ts';
import { inTransaction } from './in-transaction.ts';
import type { Projection } from './projection.ts';
import { underRebuildLeadership } from './rebuild-leadership.ts';
import { replay } from './replay.ts';
import { swap } from './swap.ts';

export class NothingToRollBackError extends Error {
  readonly code = 'nothing_to_roll_back';
}

/**
 * Shows the tables that the last rebuild replaced, after applying to them what has happened since. Answers the position
 * they show. Rejects with NothingToRollBackError when there are none that this version of the projection can go on with.
 */
export async function rollback(request: {
  readonly environment: ProjectionEnvironment;
  readonly projection: Projection;
  readonly signal: AbortSignal;
}): Promise<Position> {
  const { environment, projection } = request;
  return underRebuildLeadership(request, async (signal, fence) => {
    await discardLeftOvers(environment, projection);
    const generations = await readGenerations(environment.pool, projection.name);
    const generation = generations.find(
      ({ status, version }) => status === 'retired' && version === projection.version,
    );
    const checkpoint = generation && (await readCheckpoint(environment.pool, projection, generation));
    if (!generation || !checkpoint) {
      throw new NothingToRollBackError(
        `${projection.name} has no earlier tables of version ${projection.version}`,
      );
    }
    await inTransaction(environment.pool, (client) => setFence(client, projection, generation, fence));
    const job = { environment, projection, generation, fence, signal };
    return swap(job, await replay(job, checkpoint.position));
  });
}
