import { createHash } from 'node:crypto';

/** What the receiver does with a body: refuse it whenever it comes, fail the first tries, or take it. By chance, but always the same. */
export function fateOf(body: Uint8Array | string): 'refused' | 'flaky' | 'taken' {
  const chance = (createHash('sha256').update(body).digest()[0] ?? 0) / 256;
  if (chance < 0.08) return 'refused';
  return chance < 0.25 ? 'flaky' : 'taken';
}
