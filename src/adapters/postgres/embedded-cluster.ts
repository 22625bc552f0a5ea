import { randomBytes } from 'node:crypto';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { DataFolder } from '../process/data-folder.ts';
import { StartupError } from '../process/startup-error.ts';
import { type Launch, launchAs } from './embedded-account.ts';
import type { PostgresBinaries } from './embedded-binaries.ts';
import { runTool } from './embedded-process.ts';

/** Only from this machine, only with the password. */
const HOST_BASED_ACCESS = `
local all all              scram-sha-256
host  all all 127.0.0.1/32 scram-sha-256
`;

const AS_ONESELF: Launch = { prefix: [], ids: {} };

/**
 * The database folder of a data folder, created at the first start. It appears whole or not at all: initdb works in a
 * folder that gets its name only when all is done.
 */
export async function prepareCluster(folder: DataFolder, binaries: PostgresBinaries): Promise<string> {
  const dataDir = `${folder.path}/postgres`;
  const files = await readdir(dataDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  if (files.length === 0) await createCluster(folder, binaries, dataDir);
  else await checkCluster(dataDir, binaries);
  return dataDir;
}

/** Sets the superuser's password while no server runs, and returns it. */
export async function setPassword(
  folder: DataFolder,
  binaries: PostgresBinaries,
  dataDir: string,
): Promise<string> {
  const password = randomBytes(24).toString('base64url');
  const launch = await launchAs(folder.account, [binaries.folder, dataDir]);
  const sql = `alter role postgres password '${password}';\n`;
  const { ok, output } = await runTool(
    launch,
    binaries.postgres,
    ['--single', '-D', dataDir, 'postgres'],
    sql,
  );
  if (!ok) throw cannotOpen(dataDir, output);
  return password;
}

/** PostgreSQL's own words for what is wrong with a folder, and a way out. */
export function cannotOpen(dataDir: string, output: string): StartupError {
  const reason =
    /^(?:FATAL|PANIC|postgres: error|postgres):\s+(.*)$/m.exec(output)?.[1] ?? output.split('\n').at(-1);
  return new StartupError(
    'postgres_failed',
    `PostgreSQL cannot open ${dataDir}: ${reason}. Restore the folder from a backup, or move it away to begin with an empty one`,
  );
}

async function createCluster(folder: DataFolder, binaries: PostgresBinaries, dataDir: string): Promise<void> {
  const draft = `${dataDir}.new`;
  await rm(draft, { recursive: true, force: true });
  await folder.makeFolder(basename(draft));
  const launch = await launchAs(folder.account, [binaries.folder, draft]);
  const { ok, output } = await runTool(launch, binaries.initdb, [
    `--pgdata=${draft}`,
    '--username=postgres',
    '--auth=trust',
    '--encoding=UTF8',
    // The built-in locale sorts the same on every machine and after every upgrade of it.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ]);
  if (!ok) {
    const reason = /error: (.*)$/m.exec(output)?.[1] ?? output.split('\n').at(-1);
    throw new StartupError(
      'postgres_failed',
      `could not create a database in ${folder.path}: ${reason}. Set DATA_DIR to a folder on a local disk, or DATABASE_URL to a PostgreSQL 14+`,
    );
  }
  await writeFile(`${draft}/pg_hba.conf`, HOST_BASED_ACCESS);
  await rm(dataDir, { recursive: true, force: true });
  await rename(draft, dataDir);
}

async function checkCluster(dataDir: string, binaries: PostgresBinaries): Promise<void> {
  const found = (await readFile(`${dataDir}/PG_VERSION`, 'utf8').catch(() => '')).trim();
  if (found === '') {
    throw new StartupError(
      'data_folder_foreign',
      `${dataDir} is not empty and not a PostgreSQL data folder; move it away, or set DATA_DIR to another folder`,
    );
  }
  const { output } = await runTool(AS_ONESELF, binaries.postgres, ['--version']);
  const ours = /\) (\d+)/.exec(output)?.[1];
  if (found !== ours) {
    throw new StartupError(
      'data_folder_version',
      `${dataDir} was written by PostgreSQL ${found}, this version has PostgreSQL ${ours}; set DATA_DIR to another folder, or run a PostgreSQL ${found} on it and set DATABASE_URL`,
    );
  }
}
