import { StartupError } from '../process/startup-error.ts';
import { MigrationError } from './migrate.ts';
import { SCHEMA } from './pool.ts';

/** The StartupError that says what keeps the tables from being made, where that is not a fault of ours; or the error. */
export function setUpProblem(error: unknown): unknown {
  if (error instanceof MigrationError)
    return new StartupError('database_schema', error.message, { cause: error });
  const { code, message } = error as { code?: string; message?: string };
  switch (code) {
    case '42501':
      return new StartupError(
        'database_rights',
        `the user of DATABASE_URL may not set up the database: ${message}; it must own the schema ${SCHEMA} and all in it, and may make the schema itself after: grant create on database … to …`,
        { cause: error },
      );
    case '25006':
      return new StartupError(
        'database_rights',
        `the database can't be written to: ${message}; DATABASE_URL must lead to the primary, and default_transaction_read_only be off`,
        { cause: error },
      );
    case '42P07':
    case '42710':
    case '42723':
      return new StartupError(
        'database_schema',
        `the schema ${SCHEMA} holds what this service did not make: ${message}; rename that schema, or use another database`,
        { cause: error },
      );
    default:
      return error;
  }
}
