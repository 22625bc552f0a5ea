import type { Pool, PoolClient } from 'pg';
import { checkpointTable } from './checkpoint.ts';
import type { Projection, ProjectionWrite } from './projection.ts';

export type GenerationStatus = 'building' | 'live' | 'retired' | 'scratch' | 'frozen';

/** One set of a projection's physical tables. */
export interface Generation {
  readonly projection: string;
  readonly generation: number;
  readonly version: number;
  readonly status: GenerationStatus;
  /** Names of the views, not of the physical tables. */
  readonly tables: readonly string[];
}

export const physicalName = (table: string, { version, generation }: Generation): string =>
  `${table}_v${version}_${generation}`;

export function writeTo(client: PoolClient, generation: Generation): ProjectionWrite {
  return {
    client,
    table(name) {
      if (!generation.tables.includes(name)) throw new Error(`${generation.projection} has no table ${name}`);
      return physicalName(name, generation);
    },
  };
}

/** The next generation of a projection: its tables, empty and without secondary indexes. */
export async function createGeneration(
  client: PoolClient,
  projection: Projection,
  status: GenerationStatus,
): Promise<Generation> {
  const tables = projection.tables.map(({ name }) => name);
  const { rows } = await client.query<{ generation: number }>(INSERT, [
    projection.name,
    projection.version,
    status,
    tables,
  ]);
  const number = rows[0]?.generation;
  if (number === undefined) throw new Error(`no generation was made for ${projection.name}`);
  const generation = {
    projection: projection.name,
    generation: number,
    version: projection.version,
    status,
    tables,
  };
  for (const table of projection.tables)
    await client.query(table.create(physicalName(table.name, generation)));
  return generation;
}

export async function createIndexes(
  client: PoolClient,
  projection: Projection,
  generation: Generation,
): Promise<void> {
  for (const table of projection.tables) {
    for (const sql of table.indexes(physicalName(table.name, generation))) await client.query(sql);
  }
}

/** Points the stable view names at the generation's tables. */
export async function showGeneration(client: PoolClient, generation: Generation): Promise<void> {
  for (const table of generation.tables) {
    await client.query(`drop view if exists ${table}`);
    await client.query(`create view ${table} as select * from ${physicalName(table, generation)}`);
  }
}

export async function dropGeneration(
  client: PoolClient,
  projection: Projection,
  generation: Generation,
): Promise<void> {
  for (const table of generation.tables) {
    await client.query(`drop table if exists ${physicalName(table, generation)}`);
  }
  const key = [generation.projection, generation.generation];
  await client.query(
    `delete from ${checkpointTable(projection)} where projection = $1 and generation = $2`,
    key,
  );
  await client.query(DELETE, key);
}

export async function setStatus(
  client: PoolClient,
  { projection, generation }: Generation,
  status: GenerationStatus,
): Promise<void> {
  await client.query(SET_STATUS, [projection, generation, status]);
}

/** For tables that a repair has brought to another version where they are. */
export async function setVersion(
  client: PoolClient,
  { projection, generation }: Generation,
  version: number,
): Promise<void> {
  await client.query(SET_VERSION, [projection, generation, version]);
}

/** Newest first. */
export async function readGenerations(
  client: Pool | PoolClient,
  projection: string,
): Promise<readonly Generation[]> {
  const { rows } = await client.query<Generation>(READ, [projection]);
  return rows;
}

export async function liveGeneration(
  client: Pool | PoolClient,
  projection: string,
): Promise<Generation | undefined> {
  const generations = await readGenerations(client, projection);
  return generations.find(({ status }) => status === 'live');
}

const INSERT = `
insert into projection_generations (projection, generation, version, status, table_names)
select $1, coalesce(max(generation), 0) + 1, $2, $3, $4
from projection_generations
where projection = $1
returning generation`;

const DELETE = `
delete from projection_generations
where projection = $1 and generation = $2`;

const SET_STATUS = `
update projection_generations
set status = $3, changed_at = clock_timestamp()
where projection = $1 and generation = $2`;

const SET_VERSION = `
update projection_generations
set version = $3, changed_at = clock_timestamp()
where projection = $1 and generation = $2`;

const READ = `
select projection, generation, version, status, table_names as tables
from projection_generations
where projection = $1
order by generation desc`;
