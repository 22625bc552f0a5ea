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

/** When a tenant was decided about. Of two at the same time, the greater identity counts as the later. */
export interface TenantDecision {
  readonly about: 'existence' | 'terms' | 'suspension';
  /** Milliseconds since 1970. */
  readonly occurredAt: number;
  readonly identity: string;
}

/** Remembers what has had its effect. The memory and the effect are committed together. */
export interface InboxLedger {
  /**
   * Stages the jobs that are new, all or none of them; answers for each whether it was. `letIn` gets those that are new
   * and answers them as they are to be staged, or throws to have nothing staged; then this rejects with what it threw.
   */
  stage(
    jobs: readonly LedgerJob[],
    letIn: (fresh: readonly LedgerJob[]) => readonly LedgerJob[],
  ): Promise<readonly boolean[]>;
  /**
   * Does the work unless it was done before; answers whether it was done now. Others who want the same wait. When it
   * rejects, nothing is remembered; work that dies right before the commit is done again.
   */
  once(entry: LedgerEntry, work: () => Promise<void>): Promise<boolean>;
  /**
   * The same for what decides about a tenant: `outdated` when something that happened later was done before, and then
   * nothing is.
   */
  onceInOrder(
    entry: LedgerEntry,
    decision: TenantDecision,
    work: () => Promise<void>,
  ): Promise<'done' | 'duplicate' | 'outdated'>;
}
