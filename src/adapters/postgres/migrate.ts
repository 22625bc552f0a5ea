import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type pg from 'pg';
import { SCHEMA } from './pool.ts';

export type MigrationProblem = 'postgres_too_old' | 'schema_newer' | 'schema_changed';

/** The database can't be brought to this version's schema; the message says what to do. */
export class MigrationError extends Error {
  readonly code: MigrationProblem;
  constructor(code: MigrationProblem, message: string) {
    super(message);
    this.code = code;
  }
}

interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

interface AppliedMigration {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
}

const OLDEST_POSTGRES = 14;
const FOLDER = new URL('./migrations/', import.meta.url);
const FILE_NAME = /^(\d{4})_([a-z0-9_]+)\.sql$/;
const LOCK_KEY = 0x65767a72_01n;

/**
 * Brings the database to this version's schema: applies what is missing of migrations/NNNN_name.sql in order, each in
 * a transaction of its own. Any number of processes may call it at once. Throws MigrationError when the server is too
 * old, the schema comes from a newer version, or an applied file was changed afterwards.
 */
export async function migrate(pool: pg.Pool, folder: URL = FOLDER): Promise<void> {
  const migrations = await readMigrations(folder);
  const client = await pool.connect();
  try {
    await refuseOldPostgres(client);
    while (await applyNext(client, migrations));
  } finally {
    client.release();
  }
}

/**
 * Names of the migrations that the next start would apply, without applying them. Throws MigrationError as migrate does.
 */
export async function pendingMigrations(pool: pg.Pool, folder: URL = FOLDER): Promise<readonly string[]> {
  const migrations = await readMigrations(folder);
  const { rows: found } = await pool.query<{ present: boolean }>(HAS_TABLE);
  const applied = found[0]?.present ? (await pool.query<AppliedMigration>(APPLIED)).rows : [];
  nextOf(migrations, applied);
  return migrations
    .filter(({ version }) => !applied.some((done) => done.version === version))
    .map(({ version, name }) => `${String(version).padStart(4, '0')}_${name}`);
}

async function readMigrations(folder: URL): Promise<readonly Migration[]> {
  const migrations: Migration[] = [];
  for (const file of (await readdir(folder)).sort()) {
    const [, number, name] = FILE_NAME.exec(file) ?? [];
    if (number === undefined || name === undefined) continue;
    const sql = await readFile(new URL(file, folder), 'utf8');
    const checksum = createHash('sha256').update(sql).digest('hex');
    migrations.push({ version: Number(number), name, sql, checksum });
  }
  return migrations;
}

async function refuseOldPostgres(client: pg.PoolClient): Promise<void> {
  const { rows } = await client.query<{ version: number }>(SERVER_VERSION);
  const major = Math.trunc((rows[0]?.version ?? 0) / 10_000);
  if (major < OLDEST_POSTGRES) {
    throw new MigrationError(
      'postgres_too_old',
      `PostgreSQL ${OLDEST_POSTGRES} or newer is needed; this server is version ${major}`,
    );
  }
}

/** Applies the first missing migration under the lock; false when none is missing. */
async function applyNext(client: pg.PoolClient, migrations: readonly Migration[]): Promise<boolean> {
  await client.query('begin isolation level read committed');
  try {
    await client.query(LOCK);
    const applied = await readApplied(client);
    const next = nextOf(migrations, applied);
    if (next) {
      await client.query(RECORD, [next.version, next.name, next.checksum]);
      await client.query(next.sql);
    }
    await client.query('commit');
    return next !== undefined;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}

async function readApplied(client: pg.PoolClient): Promise<readonly AppliedMigration[]> {
  const { rows: found } = await client.query<{ present: boolean; schema: boolean }>(HAS_TABLE);
  // Creating needs rights that the service's role may lack once an administrator has prepared the schema: PostgreSQL asks
  // for the right to make one even with `if not exists`.
  if (!found[0]?.schema) await client.query(CREATE_SCHEMA);
  if (!found[0]?.present) await client.query(CREATE_TABLE);
  const { rows } = await client.query<AppliedMigration>(APPLIED);
  return rows;
}

function nextOf(
  migrations: readonly Migration[],
  applied: readonly AppliedMigration[],
): Migration | undefined {
  for (const done of applied) {
    const ours = migrations.find((migration) => migration.version === done.version);
    if (!ours) {
      throw new MigrationError(
        'schema_newer',
        `the database has migration ${done.version} (${done.name}), which this version does not know; start a version at least as new as the one that wrote it`,
      );
    }
    if (ours.checksum !== done.checksum) {
      throw new MigrationError(
        'schema_changed',
        `migration ${done.version} (${done.name}) is not what was applied to this database; applied migrations must never change`,
      );
    }
  }
  const newest = applied.at(-1)?.version ?? 0;
  const missing = migrations.filter(({ version }) => !applied.some((done) => done.version === version));
  const late = missing.find(({ version }) => version < newest);
  if (late) {
    throw new MigrationError(
      'schema_changed',
      `migration ${late.version} (${late.name}) is missing below ${newest}, which is applied; migrations only go forward`,
    );
  }
  return missing[0];
}

const SERVER_VERSION = `select current_setting('server_version_num')::int as version`;

const LOCK = `
select
  set_config('statement_timeout', '600000', true),
  set_config('idle_in_transaction_session_timeout', '600000', true),
  set_config('search_path', '${SCHEMA}, public', true),
  pg_advisory_xact_lock(${LOCK_KEY})`;

const HAS_TABLE = `
select
  to_regclass('${SCHEMA}.schema_version') is not null as present,
  to_regnamespace('${SCHEMA}') is not null as schema`;

const CREATE_SCHEMA = `create schema ${SCHEMA}`;

const CREATE_TABLE = `
create table ${SCHEMA}.schema_version (
  version int primary key,
  name text not null,
  checksum text not null,
  applied_at timestamptz not null default now()
)`;

const APPLIED = `
select version, name, checksum
from ${SCHEMA}.schema_version
order by version`;

const RECORD = `
insert into ${SCHEMA}.schema_version (version, name, checksum)
values ($1, $2, $3)`;
