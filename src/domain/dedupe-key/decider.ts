import { accepted, type Decider, type Decision, rejected } from '../decider.ts';
import type { DedupeKeyEvent } from './events.ts';

export interface DedupeKey {
  /** The job that the key stands for; absent when nobody ever took it. Each event says all of it: the last is enough. */
  readonly jobId?: string | undefined;
}

export interface TakeDedupeKey {
  readonly type: 'TakeDedupeKey';
  readonly jobId: string;
  /** The job that the caller knows to be finished, and so may lose the key. */
  readonly insteadOf?: string | undefined;
}

/** Another job has the key, and the caller did not show that it is finished. */
export type DedupeKeyRejection = 'key_taken';

export const dedupeKeyDecider: Decider<TakeDedupeKey, DedupeKey, DedupeKeyEvent, DedupeKeyRejection> = {
  initial: () => ({}),
  evolve: (_state, event) => ({ jobId: event.data.jobId }),
  decide,
};

function decide(
  { jobId, insteadOf }: TakeDedupeKey,
  state: DedupeKey,
): Decision<DedupeKeyEvent, DedupeKeyRejection> {
  if (state.jobId === jobId) return accepted();
  if (state.jobId !== undefined && state.jobId !== insteadOf) return rejected('key_taken');
  return accepted({ type: 'DedupeKeyTaken', data: { jobId } });
}
