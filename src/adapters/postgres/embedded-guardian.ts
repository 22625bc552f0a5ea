import { spawn } from 'node:child_process';

/**
 * Waits for its input to close, which the system does when the server is gone, however it went, and then asks the
 * PostgreSQL of the data folder to shut down. A shell: next to nothing in memory, and there on every machine.
 */
const GUARDIAN = `
read -r _
pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null) || exit 0
name=$(cat "/proc/$pid/comm" 2>/dev/null || ps -o comm= -p "$pid" 2>/dev/null)
case "$name" in *postgres*) kill -INT "$pid" ;; esac
`;

/** Sees to it that PostgreSQL does not outlive a server that was killed. Returns a function that lets the guardian go. */
export function guardAgainstOrphan(dataDir: string): () => void {
  const guardian = spawn('/bin/sh', ['-c', GUARDIAN, 'sh', dataDir], {
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
