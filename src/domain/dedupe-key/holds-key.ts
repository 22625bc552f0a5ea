import { unreachable } from '../decider.ts';
import type { JobStatus } from '../job/state.ts';

/**
 * Whether a job in this status keeps its dedupe key. A dead letter does: it waits for a person, who may replay it, and
 * then it must not meet a second job with the same key.
 */
export function holdsDedupeKey(status: JobStatus): boolean {
  switch (status) {
    case 'scheduled':
    case 'queued':
    case 'running':
    case 'retrying':
    case 'dead_lettered':
      return true;
    case 'completed':
    case 'cancelled':
    case 'purged':
      return false;
    default:
      return unreachable(status);
  }
}
