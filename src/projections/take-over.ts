import type { PoolClient } from 'pg';
import { LOG_START, type Position } from '../commands/ports.ts';
import { claimCheckpoint, createCheckpoint, readCheckpoint } from './checkpoint.ts';
import type { ProjectionEnvironment } from './environment.ts';
import { type Generation, liveGeneration, writeTo } from './generations.ts';
import { inTransaction } from './in-transaction.ts';
import type { Projection } from './projection.ts';

/** Someone leads with a higher fence: this process must stop. */
export class LeaderReplacedError extends Error {
  readonly code = 'leader_replaced';
}

/** The live tables were made by a newer version of this software, which has to keep them. */
export class ProjectionOutdatedError extends Error {
  readonly code = 'projection_outdated';
}

export type Takeover =
  | { readonly kind: 'taken'; readonly generation: Generation; readonly position: Position }
  /** The live tables are of an older version. */
  | { readonly kind: 'outgrown' };

/** Makes this leader the only one who moves the live checkpoint, and fills tables that have none from the start. */
export async function takeOver(
  { pool }: ProjectionEnvironment,
  projection: Projection,
  fence: bigint,
): Promise<Takeover> {
  const generation = await liveGeneration(pool, projection.name);
  if (!generation) throw new Error(`${projection.name} has no tables`);
  if (generation.version > projection.version) {
    throw new ProjectionOutdatedError(
      `${projection.name} is at version ${generation.version}; this software knows version ${projection.version}`,
    );
  }
  if (generation.version < projection.version) return { kind: 'outgrown' };
  const claimed = await claimCheckpoint(pool, projection, generation, fence);
  const position =
    claimed ??
    (await inTransaction(pool, (client) => startAnew(client, projection, generation, fence), {
      settings: `set local statement_timeout = '10min'`,
    }));
  return { kind: 'taken', generation, position };
}

async function startAnew(
  client: PoolClient,
  projection: Projection,
  generation: Generation,
  fence: bigint,
): Promise<Position> {
  await client.query(LOCK, [generation.projection, generation.generation]);
  const found = await readCheckpoint(client, projection, generation);
  if (found?.fence !== undefined && found.fence > fence) {
    throw new LeaderReplacedError(`${projection.name} is led by a later leader`);
  }
  if (found) throw new Error(`the checkpoint of ${projection.name} was sealed or taken meanwhile`);
  const write = writeTo(client, generation);
  for (const table of generation.tables) await client.query(`truncate ${write.table(table)}`);
  const position = projection.seed ? await projection.seed(write) : LOG_START;
  await createCheckpoint(client, projection, generation, { position, fence });
  return position;
}

const LOCK = `
select 1
from projection_generations
where projection = $1 and generation = $2
for update`;
