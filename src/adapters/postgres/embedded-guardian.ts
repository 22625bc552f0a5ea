import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { lockFileOf } from '../process/folder-lock.ts';

/**
 * Waits for its input to close, which the system does when the server is gone, however it went, and then asks the
 * PostgreSQL of the data folder to shut down. A shell: next to nothing in memory, and there on every machine. It may get its
 * turn late, when the next server has started its own: as long as the folder's lock was that of the server that is gone, the
 * process noted before is the old one.
 */
const GUARDIAN = `
read -r _
pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null) || exit 0
[ "$(cat "$2" 2>/dev/null)" = "$3" ] || exit 0
name=$(cat "/proc/$pid/comm" 2>/dev/null || ps -o comm= -p "$pid" 2>/dev/null)
case "$name" in *postgres*) kill -INT "$pid" ;; esac
`;

/**
 * Sees to it that PostgreSQL does not outlive a server that was killed, as long as this server's lock is on the folder.
 * Returns a function that lets the guardian go.
 */
export function guardAgainstOrphan(folder: string, dataDir: string): () => void {
  const lock = lockFileOf(folder);
  const guardian = spawn('/bin/sh', ['-c', GUARDIAN, 'sh', dataDir, lock, readFileSync(lock, 'utf8')], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a guardian everything works; the next start then finds the orphan.
  guardian.on('error', () => {});
  guardian.stdin.on('error', () => {});
  guardian.unref();
  return () => {
    guardian.kill('SIGKILL');
  };
}
