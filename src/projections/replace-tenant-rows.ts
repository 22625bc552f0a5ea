import type { PoolClient } from 'pg';
import type { Position } from '../commands/ports.ts';
import { readCheckpoint } from './checkpoint.ts';
import { keyColumns, NotComparableError } from './compare-tables.ts';
import { liveGeneration, physicalName } from './generations.ts';
import { inTransaction } from './in-transaction.ts';
import { type Replay, replayWithin } from './replay.ts';

/**
 * Puts one tenant's folded rows in the place of its live ones, touching only rows that differ. The lock on the live
 * checkpoint keeps the runner out for that moment; the folded rows are first brought up to it.
 */
export async function replaceTenantRows(replay: Replay, at: Position): Promise<void> {
  const { environment, projection, generation, tenant, signal } = replay;
  await inTransaction(
    environment.pool,
    async (client) => {
      const live = await liveGeneration(client, projection.name);
      const checkpoint = live && (await readCheckpoint(client, projection, live, 'lock'));
      if (!live || !checkpoint) throw new NotComparableError(`${projection.name} has no rows to replace`);
      await replayWithin(client, replay, at, checkpoint.position);
      for (const table of generation.tables) {
        await replaceRows(client, physicalName(table, live), physicalName(table, generation), tenant);
      }
    },
    { settings: `set local statement_timeout = '10min'`, signal },
  );
}

async function replaceRows(
  client: PoolClient,
  live: string,
  folded: string,
  tenant: string | undefined,
): Promise<void> {
  const key = await keyColumns(client, live);
  await client.query(deleteSql(live, folded, key), [tenant]);
  await client.query(insertSql(live, folded, key), [tenant]);
}

const sameKey = (key: readonly string[]) =>
  `(${key.map((column) => `live.${column}`).join(', ')}) = (${key.map((column) => `folded.${column}`).join(', ')})`;

const deleteSql = (live: string, folded: string, key: readonly string[]) => `
delete from ${live} live
where tenant_id = $1 and not exists (
  select 1
  from ${folded} folded
  where ${sameKey(key)} and folded::text = live::text
)`;

const insertSql = (live: string, folded: string, key: readonly string[]) => `
insert into ${live}
select *
from ${folded} folded
where tenant_id = $1 and not exists (
  select 1
  from ${live} live
  where ${sameKey(key)}
)`;
