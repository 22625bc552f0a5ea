import { readFile, rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../../commands/telemetry.ts';
import { commandLine } from '../process/process-identity.ts';
import { StartupError } from '../process/startup-error.ts';

/** How to ask, more and more firmly, and how long to wait each time. */
const STEPS = [
  { signal: 'SIGINT', waitMs: 20_000 },
  { signal: 'SIGQUIT', waitMs: 10_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
] as const;

/**
 * Ends the PostgreSQL that a killed server left running in this folder; the caller holds the folder's lock, so it can be
 * nobody's. A pid file that names a zombie or a process of some other kind is removed: PostgreSQL would take that for itself.
 */
export async function endOrphan(dataDir: string, logger: Logger): Promise<void> {
  const file = `${dataDir}/postmaster.pid`;
  const pid = Math.abs(Number.parseInt(await readFile(file, 'utf8').catch(() => ''), 10));
  if (!Number.isSafeInteger(pid) || pid === 0) return;
  const command = await commandLine(pid);
  const ours = () => commandLine(pid).then((now) => now === command);
  if (!(command.includes('postgres') && command.includes(dataDir))) {
    await rm(file, { force: true });
    return;
  }
  logger.warn({ pid }, 'postgres.orphan_found');
  for (const { signal, waitMs } of STEPS) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    const deadline = performance.now() + waitMs;
    while (performance.now() < deadline) {
      if (!(await ours())) return;
      await pause(20);
    }
  }
  throw new StartupError(
    'postgres_failed',
    `PostgreSQL (process ${pid}) still runs in ${dataDir} and does not stop; end it first`,
  );
}
