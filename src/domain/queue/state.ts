/** A lane that jobs wait in. A queue nobody ever changed has no stream and is simply open. */
export interface Queue {
  readonly pause?:
    | {
        readonly since: number;
        /** Resumes by itself at this time; absent: until somebody resumes it. */
        readonly until?: number | undefined;
        readonly reason?: string | undefined;
      }
    | undefined;
  /** Most attempts that may run at once; null: no limit. */
  readonly concurrencyLimit: number | null;
}

/** A pause with an end is over when its time has come, without an event. */
export function isPaused(queue: Queue, now: number): boolean {
  if (!queue.pause) return false;
  return queue.pause.until === undefined || now < queue.pause.until;
}
