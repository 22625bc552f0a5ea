import { pause } from './pause.ts';

/** Evidence that workers could be heard of. */
export interface HeartbeatPath {
  /** This process answers heartbeats; `anew`: and for a while it may not have. */
  sign(anew: boolean): Promise<void>;
  /** Leases are swept now, and nobody is owed a grace for what was before. */
  looked(): Promise<void>;
  /** Processes that have answered heartbeats without a break since before the last look, and how often they have signed. */
  steady(): Promise<ReadonlyMap<string, number>>;
}

const SIGN_EVERY_MS = 500;
const ASK_EVERY_MS = 100;
/** Several times as long as a sign takes to come. */
const MAX_ASKED = 20;

/** Background task of a server that answers heartbeats. Rejects when the database fails; each start is a break. */
export function signHeartbeats(path: Pick<HeartbeatPath, 'sign'>): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    for (let anew = true; !signal.aborted; anew = false) {
      await path.sign(anew);
      await pause(SIGN_EVERY_MS, signal);
    }
  };
}

/**
 * True when some process was there for heartbeats from before the last look until now. That it signs once more is awaited:
 * the last sign of one that is gone says nothing about the time since. Rejects when the database fails.
 */
export async function stayedOpen(path: Pick<HeartbeatPath, 'steady'>, signal: AbortSignal): Promise<boolean> {
  const before = await path.steady();
  for (let asked = 0; before.size > 0 && asked < MAX_ASKED && !signal.aborted; asked += 1) {
    await pause(ASK_EVERY_MS, signal);
    for (const [process, signs] of await path.steady())
      if (signs > (before.get(process) ?? Number.POSITIVE_INFINITY)) return true;
  }
  return false;
}
