import type pg from 'pg';
import { checkDatabase } from '../adapters/postgres/check-database.ts';
import { createPool } from '../adapters/postgres/pool.ts';
import { StartupError } from '../adapters/process/startup-error.ts';
import { CliError, usageError } from './cli-error.ts';
import { readSecret } from './connection.ts';
import { EXIT } from './exit-codes.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The database of the installation: DATABASE_URL, or the embedded one of a server that runs on this machine. */
export function databaseUrl(environment: Environment): string {
  const url = environment.DATABASE_URL || readSecret(environment, 'database-url');
  if (url) return url;
  throw usageError('no database: set DATABASE_URL, or run this in the folder where npm start runs');
}

/** Runs the task on a connection that is closed afterwards. */
export async function withDatabase<Result>(
  environment: Environment,
  task: (pool: pg.Pool) => Promise<Result>,
): Promise<Result> {
  const connectionString = databaseUrl(environment);
  try {
    await checkDatabase(connectionString);
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    const hint = environment.DATABASE_URL ? '' : '; the embedded one runs while the server does: npm start';
    throw new CliError(`${error.message}${hint}`, EXIT.unreachable, error.code);
  }
  const pool = createPool({ connectionString, max: 2, applicationName: 'eventzr-jobs cli' });
  try {
    return await task(pool);
  } catch (error) {
    const state = setUpSoFar(error);
    if (state === undefined) throw error;
    throw new CliError(`this database ${state}; start the service on it once`, EXIT.refused, 'not_set_up');
  } finally {
    await pool.end();
  }
}

/** Only the service migrates. */
const SET_UP: Readonly<Record<string, string>> = {
  '42P01': 'is not set up yet',
  '42703': 'was set up by an older version',
  '42883': 'was set up by an older version',
};

const setUpSoFar = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? SET_UP[String(error.code)] : undefined;
