import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { StartupError } from '../process/startup-error.ts';

const run = promisify(execFile);

/** Whom PostgreSQL runs as. Absent ids: as whoever runs the server. */
export type Account =
  | { readonly kind: 'same' }
  | { readonly kind: 'other'; readonly name: string; readonly uid: number; readonly gid: number };

/** Accounts to fall back on when only root has a say in the folder, best first. */
const SERVICE_ACCOUNTS = ['postgres', 'nobody'];

/**
 * PostgreSQL refuses to run as root, so root hands it to another account: to the owner of the folder if that is an
 * ordinary user (then both may start the service in turn), else to an account made for such work.
 */
export async function accountFor(dataDir: string): Promise<Account> {
  if (process.getuid?.() !== 0) return { kind: 'same' };
  const owner = await nearestOwner(dataDir);
  const candidates = owner === 0 ? SERVICE_ACCOUNTS : [String(owner), ...SERVICE_ACCOUNTS];
  for (const candidate of candidates) {
    const account = await lookUp(candidate);
    if (account !== undefined) return account;
  }
  throw new StartupError(
    'postgres_unsupported',
    `PostgreSQL does not run as root and this machine has neither a "postgres" nor a "nobody" account for it; start as an ordinary user, or set DATABASE_URL`,
  );
}

/** The name of a user id for messages, or `uid 123`. */
export async function accountName(uid: number): Promise<string> {
  try {
    return (await run('id', ['-un', String(uid)])).stdout.trim();
  } catch {
    return `uid ${uid}`;
  }
}

async function nearestOwner(path: string): Promise<number> {
  try {
    return (await stat(path)).uid;
  } catch {
    return nearestOwner(dirname(path));
  }
}

async function lookUp(nameOrId: string): Promise<Account | undefined> {
  try {
    // PostgreSQL looks its own name up, so an id without a name would not do.
    const name = (await run('id', ['-un', nameOrId])).stdout.trim();
    const uid = Number((await run('id', ['-u', nameOrId])).stdout);
    const gid = Number((await run('id', ['-g', nameOrId])).stdout);
    return uid === 0 ? undefined : { kind: 'other', name, uid, gid };
  } catch {
    return undefined;
  }
}

/** How to start a program under an account: put `prefix` before the command, give `ids` to spawn. */
export interface Launch {
  readonly prefix: readonly string[];
  readonly ids: { readonly uid?: number; readonly gid?: number };
}

/**
 * The account may be unable to enter a folder above the paths (/root is closed to all but root). Then it gets the one
 * capability that lets it pass, and nothing else of root's power.
 */
export async function launchAs(account: Account, paths: readonly string[]): Promise<Launch> {
  if (account.kind === 'same') return { prefix: [], ids: {} };
  const { uid, gid } = account;
  const closed = await closedFolder(paths, uid, gid);
  if (closed === undefined) return { prefix: [], ids: { uid, gid } };
  const capability = await passingCapability();
  const prefix = [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    // access(2), with which PostgreSQL tests its own program file, forgets capabilities without this.
    '--securebits=+no_setuid_fixup',
    `--inh-caps=-all,+${capability}`,
    `--ambient-caps=-all,+${capability}`,
  ];
  try {
    if (capability === undefined) throw new Error('no capability to pass on');
    await run(prefix[0] ?? '', [...prefix.slice(1), 'test', '-x', closed]);
  } catch (cause) {
    throw new StartupError(
      'postgres_unsupported',
      `PostgreSQL does not run as root, and the user "${account.name}" whom it would run as cannot enter ${closed}; move the project elsewhere, start as an ordinary user, or set DATABASE_URL`,
      { cause },
    );
  }
  return { prefix, ids: {} };
}

async function closedFolder(paths: readonly string[], uid: number, gid: number): Promise<string | undefined> {
  for (const path of paths) {
    for (let folder = path; folder !== dirname(folder); folder = dirname(folder)) {
      const { mode, uid: owner, gid: group } = await stat(folder);
      const bits = owner === uid ? mode >> 6 : group === gid ? mode >> 3 : mode;
      if ((bits & 1) === 0) return folder;
    }
  }
  return undefined;
}

/** Reading is enough; containers often have only the wider one. */
async function passingCapability(): Promise<string | undefined> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  if ((effective & (1n << 2n)) !== 0n) return 'dac_read_search';
  if ((effective & (1n << 1n)) !== 0n) return 'dac_override';
  return undefined;
}
