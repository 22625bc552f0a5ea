import type { CallContext } from './call-context.ts';
import type { EnqueueRequest } from './use-cases.ts';

/** A job of a batch that is to be enqueued whole. */
export type StagedRequest = EnqueueRequest & {
  readonly jobId: string;
  /** Where its slot comes from, for tenants whose quota demands one. */
  readonly reservationId?: string | undefined;
};

export interface StagedBatch {
  readonly context: CallContext;
  /** Id of the command; the events carry it as their cause, so whoever enqueues the batch does it as the first one did. */
  readonly commandId: string;
  readonly requests: readonly StagedRequest[];
}

/**
 * Where a batch is put down whole before it is enqueued. Once `put` has returned, the batch is enqueued sooner or later,
 * by the caller or by a relay; before, nothing of it is.
 */
export interface StagingArea {
  put(batch: StagedBatch): Promise<void>;
  /** The whole batch is in the log. */
  remove(batch: StagedBatch): Promise<void>;
}
