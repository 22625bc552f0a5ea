import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { processIdentity } from './process-identity.ts';
import { StartupError } from './startup-error.ts';

const ATTEMPTS = 10;

/** Names the process that holds the lock. */
export const lockFileOf = (folder: string): string => `${folder}/server.lock`;

/**
 * Makes this process the only server in a data folder until it calls the returned release or ends, however it ends: a
 * lock whose process is gone counts for nothing, also when its number has gone to another process.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const file = lockFileOf(folder);
  const mine = `${process.pid} ${await processIdentity(process.pid)}`;
  const draft = `${file}.${process.pid}`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    await writeFile(draft, mine, { mode: 0o644 });
    try {
      // A link appears with its content or not at all, unlike a file that is created and then written.
      await link(draft, file);
      return async () => await rm(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      await rm(draft, { force: true });
    }
    await removeStale(file, folder);
  }
  throw new StartupError(
    'data_folder_locked',
    `could not lock ${file}; is another server starting? Try again`,
  );
}

async function removeStale(file: string, folder: string): Promise<void> {
  const found = await readFile(file, 'utf8').catch(() => undefined);
  if (found === undefined) return;
  const [pid = '0', identity] = found.split(' ');
  if (identity !== undefined && (await processIdentity(Number(pid))) === identity) {
    throw new StartupError(
      'data_folder_locked',
      `a server (process ${pid}) already uses ${folder}; stop it first, or give this one a folder of its own with DATA_DIR`,
    );
  }
  const aside = `${file}.stale.${process.pid}`;
  try {
    await rename(file, aside);
    // Another start may have replaced the stale lock in between: then it is theirs, give it back.
    if ((await readFile(aside, 'utf8')) !== found) await link(aside, file);
  } catch {
    return;
  } finally {
    await rm(aside, { force: true });
  }
}
