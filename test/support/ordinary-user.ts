import { spawnSync } from 'node:child_process';

/** An account that every machine has. */
export const NOBODY = { uid: 65534, gid: 65534 };

/** Only root can become another user, who can run the project only where it may be read by everyone. */
export function mayRunAsNobody(): boolean {
  if (process.getuid?.() !== 0) return false;
  const file = new URL('../../package.json', import.meta.url).pathname;
  return spawnSync('test', ['-r', file], NOBODY).status === 0;
}
