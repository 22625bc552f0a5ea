import type { CallContext } from '../call-context.ts';
import type { StagedRequest } from '../staged-jobs.ts';

/** Names an effect; it happens once. */
export interface LedgerEntry {
  readonly subscription: string;
  readonly tenantId: string;
  readonly dedupeId: string;
}

export interface LedgerJob extends LedgerEntry {
  readonly context: CallContext;
  readonly commandId: string;
  readonly request: StagedRequest;
}

/** Remembers what has had its effect. The memory and the effect are committed together. */
export interface InboxLedger {
  /** Stages the jobs that are new, all or none of them; answers for each whether it was. */
  stage(jobs: readonly LedgerJob[]): Promise<readonly boolean[]>;
  /**
   * Does the work unless it was done before; answers whether it was done now. Others who want the same wait. When it
   * rejects, nothing is remembered; work that dies right before the commit is done again.
   */
  once(entry: LedgerEntry, work: () => Promise<void>): Promise<boolean>;
}
