import { chmod, chown, mkdir, readFile, realpath, rename, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Account, accountFor, accountName } from '../postgres/embedded-account.ts';
import { lockFolder } from './folder-lock.ts';
import { StartupError } from './startup-error.ts';

/** Where the embedded database and the secrets of an installation live. One server at a time. */
export interface DataFolder {
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** Whom the files belong to. */
  readonly account: Account;
  /** A file only its owner can read; undefined when there is none. */
  readSecret(name: string): Promise<string | undefined>;
  writeSecret(name: string, content: string): Promise<void>;
  /** Creates a folder inside, for the owner only, or leaves it as it is. */
  makeFolder(name: string): Promise<string>;
  /** Lets another server use the folder. */
  release(): Promise<void>;
}

const OWNER_ONLY_FOLDER = 0o700;
const OWNER_ONLY_FILE = 0o600;

/** Opens or creates the folder and locks it. Throws StartupError when it is in use or belongs to someone else. */
export async function openDataFolder(dataDir: string): Promise<DataFolder> {
  const wanted = resolve(dataDir);
  const account = await accountFor(`${wanted}/postgres`);
  try {
    return await open(wanted, account);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') throw await denied(wanted, error);
    if (code === 'ENOTDIR' || code === 'EEXIST') {
      throw new StartupError(
        'data_folder_foreign',
        `${wanted} is not a folder; set DATA_DIR to another place`,
      );
    }
    throw error;
  }
}

async function open(wanted: string, account: Account): Promise<DataFolder> {
  const created = (await mkdir(wanted, { recursive: true, mode: OWNER_ONLY_FOLDER })) !== undefined;
  const path = await realpath(wanted);
  // A folder that was there before is left as its owner made it.
  if (created) await giveTo(account, path);
  await refuseForeignOwner(path);
  const release = await lockFolder(path);
  return {
    path,
    account,
    release,
    readSecret: (name) =>
      readFile(`${path}/${name}`, 'utf8').then((text) => text.trim(), undefinedWhenMissing),
    async writeSecret(name, content) {
      const draft = `${path}/${name}.new`;
      await writeFile(draft, `${content}\n`, { mode: OWNER_ONLY_FILE });
      await giveTo(account, draft);
      await rename(draft, `${path}/${name}`);
    },
    async makeFolder(name) {
      const folder = `${path}/${name}`;
      await mkdir(folder, { recursive: true, mode: OWNER_ONLY_FOLDER });
      await chmod(folder, OWNER_ONLY_FOLDER);
      await giveTo(account, folder);
      return folder;
    },
  };
}

async function giveTo(account: Account, path: string): Promise<void> {
  if (account.kind === 'other') await chown(path, account.uid, account.gid);
}

/** PostgreSQL insists that its files belong to whom it runs as. */
async function refuseForeignOwner(path: string): Promise<void> {
  const me = process.getuid?.() ?? 0;
  if (me === 0) return;
  const owner = await stat(`${path}/postgres`).then(({ uid }) => uid, undefinedWhenMissing);
  if (owner !== undefined && owner !== me) throw await denied(path);
}

async function denied(path: string, cause?: unknown): Promise<StartupError> {
  const owner = await stat(`${path}/postgres`)
    .catch(() => stat(path))
    .then(
      ({ uid }) => uid,
      () => undefined,
    );
  const mine = owner === undefined || owner === process.getuid?.();
  return new StartupError(
    'data_folder_denied',
    mine
      ? `${path} cannot be created or written here; set DATA_DIR to a folder you can write`
      : `${path} belongs to another user (${await accountName(owner)}): start as root or as that user again, hand it over with: sudo chown -R $(id -un) ${path}, or set DATA_DIR to another folder`,
    { cause },
  );
}

function undefinedWhenMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
