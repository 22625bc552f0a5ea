import type { DecodedEvent } from '../commands/decoded-event.ts';
import { type Move, moveCheckpoint, moveCheckpointWith } from './checkpoint.ts';
import type { ProjectionEnvironment } from './environment.ts';
import { type Generation, writeTo } from './generations.ts';
import { inStatement, inTransaction } from './in-transaction.ts';
import type { Projection } from './projection.ts';

/**
 * Losing the last transactions in a crash loses rows and checkpoint together, and the log, which is durable, still has
 * the events: waiting for the disk would buy nothing. Rows are found by their keys: a table that was not analysed yet, as
 * in every rebuild, would be read as a whole for each batch instead (four times the cost at 50,000 rows).
 */
export const APPLY_SETTINGS = `
set local synchronous_commit = off;
set local statement_timeout = '60s';
set local enable_seqscan = off;
set local enable_hashjoin = off;
set local enable_mergejoin = off;
set local jit = off`;

/**
 * Rows and checkpoint in one transaction. The checkpoint moves first: a runner that was replaced stops before it does
 * any work, and all who take both locks take them in the same order. Throws CheckpointLostError.
 */
export async function applyBatch(
  { pool }: Pick<ProjectionEnvironment, 'pool'>,
  projection: Projection,
  generation: Generation,
  batch: Move & { readonly events: readonly DecodedEvent[]; readonly signal: AbortSignal },
): Promise<void> {
  const { events, signal } = batch;
  const statement = projection.statement?.(events);
  if (statement) {
    await inStatement(
      pool,
      (client) => moveCheckpointWith(client, projection, generation, batch, statement),
      { signal },
    );
    return;
  }
  await inTransaction(
    pool,
    async (client) => {
      await moveCheckpoint(client, projection, generation, batch);
      await projection.apply(events, writeTo(client, generation));
    },
    { settings: APPLY_SETTINGS, signal },
  );
}
