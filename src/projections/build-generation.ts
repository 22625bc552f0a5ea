import { LOG_START, type Position } from '../commands/ports.ts';
import { createCheckpoint } from './checkpoint.ts';
import type { ProjectionEnvironment } from './environment.ts';
import {
  createGeneration,
  createIndexes,
  dropGeneration,
  type Generation,
  type GenerationStatus,
  physicalName,
  readGenerations,
} from './generations.ts';
import { inTransaction } from './in-transaction.ts';
import type { Projection } from './projection.ts';

/** Long work on tables nobody else uses yet. */
const LONG = `set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0`;

/** Of whole new pages, once: it takes twice the time of writing them. Only a superuser may say so. */
const WITHOUT_COMPRESSION = `
select set_config('wal_compression', 'off', true)
where current_setting('is_superuser') = 'on'`;

/**
 * An empty generation with its checkpoint at the start of the log. Its tables are unlogged while they fill: a generation
 * that a crash interrupts is dropped anyway, so writing it twice would be for nothing.
 */
export async function startGeneration(
  { pool }: ProjectionEnvironment,
  projection: Projection,
  status: GenerationStatus,
  fence: bigint,
): Promise<Generation> {
  return inTransaction(pool, async (client) => {
    const generation = await createGeneration(client, projection, status);
    await createCheckpoint(client, projection, generation, { position: LOG_START as Position, fence });
    if (!projection.unlogged) {
      for (const table of generation.tables) {
        await client.query(`alter table ${physicalName(table, generation)} set unlogged`);
      }
    }
    return generation;
  });
}

/** Indexes, durability and statistics, once the rows are there. */
export async function finishGeneration(
  { pool }: ProjectionEnvironment,
  projection: Projection,
  generation: Generation,
  signal: AbortSignal,
): Promise<void> {
  const settings = `${LONG}; set local maintenance_work_mem = '128MB'`;
  await inTransaction(
    pool,
    async (client) => {
      await client.query(WITHOUT_COMPRESSION);
      if (!projection.unlogged) {
        for (const table of generation.tables) {
          await client.query(`alter table ${physicalName(table, generation)} set logged`);
        }
      }
      await createIndexes(client, projection, generation);
      for (const table of generation.tables) await client.query(`analyze ${physicalName(table, generation)}`);
    },
    { settings, signal },
  );
}

export async function discardGeneration(
  { pool }: ProjectionEnvironment,
  projection: Projection,
  generation: Generation,
): Promise<void> {
  await inTransaction(pool, (client) => dropGeneration(client, projection, generation), { settings: LONG });
}

/** What a killed process left half-built. Call it under the leadership that all builders of the projection share. */
export async function discardLeftOvers(
  environment: ProjectionEnvironment,
  projection: Projection,
): Promise<void> {
  for (const generation of await readGenerations(environment.pool, projection.name)) {
    if (generation.status === 'building' || generation.status === 'scratch') {
      await discardGeneration(environment, projection, generation);
    }
  }
}

/** Keeps the one shown last, for rollback, and drops those before it. */
export async function discardOlder(
  environment: ProjectionEnvironment,
  projection: Projection,
): Promise<void> {
  const generations = await readGenerations(environment.pool, projection.name);
  const [, ...older] = generations.filter(({ status }) => status === 'retired');
  for (const generation of older) await discardGeneration(environment, projection, generation);
}
