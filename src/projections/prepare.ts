import type { Pool } from 'pg';
import { createGeneration, createIndexes, liveGeneration, showGeneration } from './generations.ts';
import { inTransaction } from './in-transaction.ts';
import type { Projection } from './projection.ts';

const LOCK_KEY = 0x65767a72_02n;

/**
 * Makes the tables and views of projections that have none yet, so that queries find them from the first moment on.
 * Any number of processes may call it at once; it never touches what is there.
 */
export async function prepareProjections(pool: Pool, projections: readonly Projection[]): Promise<void> {
  for (const projection of projections) {
    if (await liveGeneration(pool, projection.name)) continue;
    await inTransaction(pool, async (client) => {
      await client.query('select pg_advisory_xact_lock($1)', [LOCK_KEY]);
      if (await liveGeneration(client, projection.name)) return;
      const generation = await createGeneration(client, projection, 'live');
      await createIndexes(client, projection, generation);
      await showGeneration(client, generation);
    });
  }
}
