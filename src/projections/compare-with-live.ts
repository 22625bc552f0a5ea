import type { Position } from '../commands/ports.ts';
import { readCheckpoint } from './checkpoint.ts';
import { compareTables, NotComparableError, type TableDifferences } from './compare-tables.ts';
import { liveGeneration, physicalName } from './generations.ts';
import { inTransaction } from './in-transaction.ts';
import { type Replay, replayWithin } from './replay.ts';

export interface Comparison {
  /** The position that both sides stood at. */
  readonly position: Position;
  readonly tables: readonly TableDifferences[];
}

const SETTINGS = `
set local statement_timeout = 0;
set local idle_in_transaction_session_timeout = 0;
set local work_mem = '64MB'`;

/**
 * Compares a folded generation with the live one, exactly, while the live one is being written: the live rows and their
 * checkpoint change in one transaction, so whatever snapshot we take shows the rows just as they were at the checkpoint
 * it shows. The folded generation, which only we write, is then brought up to that very position inside the same
 * repeatable-read transaction. It must not be ahead of the live one. With `asIs` it is compared where it stands.
 */
export async function compareWithLive(
  replay: Replay,
  at: Position,
  { sampleLimit, asIs = false }: { readonly sampleLimit: number; readonly asIs?: boolean },
): Promise<Comparison> {
  const { environment, projection, generation, tenant, signal } = replay;
  return inTransaction(
    environment.pool,
    async (client) => {
      const live = await liveGeneration(client, projection.name);
      const checkpoint = live && (await readCheckpoint(client, projection, live));
      if (!live || !checkpoint)
        throw new NotComparableError(`${projection.name} has no rows yet: no leader has run it`);
      if (live.version !== projection.version) {
        throw new NotComparableError(
          `${projection.name} shows version ${live.version}; this software folds version ${projection.version}`,
        );
      }
      if (!asIs && checkpoint.position < at) {
        throw new NotComparableError(`${projection.name} went back while it was compared; try again`);
      }
      if (!asIs) await replayWithin(client, replay, at, checkpoint.position);
      const tables: TableDifferences[] = [];
      for (const table of generation.tables) {
        const pair = {
          table,
          live: physicalName(table, live),
          folded: physicalName(table, generation),
          tenant,
        };
        tables.push(await compareTables(client, pair, sampleLimit));
      }
      return { position: asIs ? at : checkpoint.position, tables };
    },
    { isolation: 'repeatable read', settings: SETTINGS, signal },
  );
}
