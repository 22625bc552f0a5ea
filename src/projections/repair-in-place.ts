import { readCheckpoint } from './checkpoint.ts';
import { NotComparableError } from './compare-tables.ts';
import { liveGeneration, setVersion, writeTo } from './generations.ts';
import { inTransaction } from './in-transaction.ts';
import type { RebuildRequest } from './rebuild.ts';

/** Has the projection put its own live tables right, while the lock on its checkpoint keeps every runner out. */
export async function repairInPlace(request: RebuildRequest): Promise<void> {
  const { environment, projection, signal, tenant, toPosition, toTime, dryRun } = request;
  if (dryRun || tenant !== undefined || toPosition !== undefined || toTime !== undefined) {
    throw new NotComparableError(
      `${projection.name} is changed by others too: it can only be repaired as a whole`,
    );
  }
  await inTransaction(
    environment.pool,
    async (client) => {
      const live = await liveGeneration(client, projection.name);
      if (!live) throw new NotComparableError(`${projection.name} has no tables yet`);
      await readCheckpoint(client, projection, live, 'lock');
      await projection.repair?.(writeTo(client, live));
      if (live.version < projection.version) await setVersion(client, live, projection.version);
    },
    { settings: `set local statement_timeout = '10min'`, signal },
  );
}
