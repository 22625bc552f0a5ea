export interface Leadership {
  /** What is led, for example `projections` or `rebuild:jobs`. */
  readonly name: string;
  /**
   * Runs while this process leads. Its signal aborts when leadership is lost or the outer signal aborts; the fence is
   * higher than that of every leader before.
   */
  readonly task: (signal: AbortSignal, fence: bigint) => Promise<void>;
  readonly signal: AbortSignal;
  /** Longest time to wait for leadership before rejecting with LeadershipTakenError; absent: for ever. */
  readonly waitMs?: number | undefined;
}

/**
 * Runs the task under leadership. Resolves when the task resolves or the signal aborts, rejects with what the task
 * rejects with. Leadership that is lost in the middle aborts the task and is sought again.
 */
export type Lead = (leadership: Leadership) => Promise<void>;

export class LeadershipTakenError extends Error {
  readonly code = 'leadership_taken';
  readonly holder: string;
  constructor(name: string, holder: string) {
    super(`${name} is being done by ${holder}`);
    this.holder = holder;
  }
}
