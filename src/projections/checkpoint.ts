import type { Pool, PoolClient } from 'pg';
import type { Position } from '../commands/ports.ts';
import type { Generation } from './generations.ts';
import type { Projection, Statement } from './projection.ts';

/** Another runner moved the checkpoint, or the generation was replaced: nothing of this transaction may stay. */
export class CheckpointLostError extends Error {
  readonly code = 'checkpoint_lost';
  constructor({ projection, generation }: Generation) {
    super(
      `the checkpoint of ${projection}, generation ${generation}, is no longer where this runner left it`,
    );
  }
}

export interface Checkpoint {
  readonly position: Position;
  /** undefined: sealed, nobody may move it. */
  readonly fence: bigint | undefined;
}

/** Unlogged tables have an unlogged checkpoint: a crash empties them together. */
export const checkpointTable = ({ unlogged }: Pick<Projection, 'unlogged'>): string =>
  unlogged ? 'projection_checkpoints_unlogged' : 'projection_checkpoints';

export async function readCheckpoint(
  client: Pool | PoolClient,
  projection: Projection,
  { generation }: Generation,
  lock: 'lock' | 'look' = 'look',
): Promise<Checkpoint | undefined> {
  const { rows } = await client.query<{ position: string; fence: string | null }>(
    read(checkpointTable(projection), lock),
    [projection.name, generation],
  );
  const [row] = rows;
  return row && { position: BigInt(row.position), fence: row.fence === null ? undefined : BigInt(row.fence) };
}

export async function createCheckpoint(
  client: PoolClient,
  projection: Projection,
  { generation }: Generation,
  { position, fence }: { readonly position: Position; readonly fence: bigint },
): Promise<void> {
  await client.query(create(checkpointTable(projection)), [
    projection.name,
    generation,
    `${position}`,
    `${fence}`,
  ]);
}

/** Takes the checkpoint over from leaders with a lower fence; undefined when that can't be: missing, sealed or led by a later one. */
export async function claimCheckpoint(
  client: Pool | PoolClient,
  projection: Projection,
  { generation }: Generation,
  fence: bigint,
): Promise<Position | undefined> {
  const { rows } = await client.query<{ position: string }>(claim(checkpointTable(projection)), [
    projection.name,
    generation,
    `${fence}`,
  ]);
  return rows[0] && BigInt(rows[0].position);
}

export interface Move {
  readonly from: Position;
  readonly to: Position;
  readonly fence: bigint;
  readonly eventsPerSecond: number;
}

/** Compare and set. Throws CheckpointLostError when the checkpoint is not at `from` or not under this fence. */
export async function moveCheckpoint(
  client: Pool | PoolClient,
  projection: Projection,
  generation: Generation,
  { from, to, fence, eventsPerSecond }: Move,
): Promise<void> {
  const { rowCount } = await client.query(move(checkpointTable(projection)), [
    projection.name,
    generation.generation,
    `${from}`,
    `${to}`,
    `${fence}`,
    eventsPerSecond,
  ]);
  if (rowCount !== 1) throw new CheckpointLostError(generation);
}

/**
 * Moves the checkpoint and makes the change of a projection in one statement: neither without the other. Throws
 * CheckpointLostError as moveCheckpoint does, and then nothing was changed.
 */
export async function moveCheckpointWith(
  client: Pool | PoolClient,
  projection: Projection,
  generation: Generation,
  { from, to, fence, eventsPerSecond }: Move,
  { name, text, values }: Statement,
): Promise<void> {
  const { rowCount } = await client.query({
    name: `move_with_${name}`,
    text: moveWith(checkpointTable(projection), text, values.length),
    values: [
      ...values,
      projection.name,
      generation.generation,
      `${from}`,
      `${to}`,
      `${fence}`,
      eventsPerSecond,
    ],
  });
  if (rowCount !== 1) throw new CheckpointLostError(generation);
}

/** Gives a checkpoint another fence, or none: then nobody can move it any more. */
export async function setFence(
  client: PoolClient,
  projection: Projection,
  { generation }: Generation,
  fence: bigint | undefined,
): Promise<void> {
  await client.query(refence(checkpointTable(projection)), [
    projection.name,
    generation,
    fence === undefined ? null : `${fence}`,
  ]);
}

const read = (table: string, lock: 'lock' | 'look') => `
select position, fence
from ${table}
where projection = $1 and generation = $2
${lock === 'lock' ? 'for update' : ''}`;

const create = (table: string) => `
insert into ${table} (projection, generation, position, fence)
values ($1, $2, $3, $4)`;

const claim = (table: string) => `
update ${table}
set fence = $3
where projection = $1 and generation = $2 and fence <= $3
returning position`;

const move = (table: string, first = 1) => `
update ${table}
set position = $${first + 3}, events_per_second = $${first + 5}, updated_at = clock_timestamp()
where projection = $${first} and generation = $${first + 1} and position = $${first + 2} and fence = $${first + 4}`;

// The change is made once for each checkpoint that moved: once, or not at all.
const moveWith = (table: string, text: string, parameters: number) => `
with moved as (${move(table, parameters + 1)}
  returning true
)
select change.*
from moved
cross join lateral (${text}) as change`;

const refence = (table: string) => `
update ${table}
set fence = $3
where projection = $1 and generation = $2`;
