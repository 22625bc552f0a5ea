import { discardGeneration } from './build-generation.ts';
import { setFence } from './checkpoint.ts';
import type { ProjectionEnvironment } from './environment.ts';
import { type Generation, readGenerations, setStatus } from './generations.ts';
import { inTransaction } from './in-transaction.ts';
import type { Projection } from './projection.ts';

/** Keeps a generation as it is, in the place of the one frozen before. */
export async function freezeGeneration(
  environment: ProjectionEnvironment,
  projection: Projection,
  generation: Generation,
): Promise<void> {
  for (const before of await readGenerations(environment.pool, projection.name)) {
    if (before.status === 'frozen') await discardGeneration(environment, projection, before);
  }
  await inTransaction(environment.pool, async (client) => {
    await setStatus(client, generation, 'frozen');
    await setFence(client, projection, generation, undefined);
  });
}
