import type { CallContext } from '../../commands/call-context.ts';
import type { JobFilter, Page, PageRequest } from '../../projections/queries.ts';

/** One action on many jobs. */
export interface OperationOrder {
  readonly action: 'cancel' | 'retry' | 'replay' | 'purge';
  readonly filter?: JobFilter | undefined;
  readonly ids?: readonly string[] | undefined;
  readonly reason?: string | undefined;
}

export interface OperationCounts {
  readonly seen: number;
  readonly changed: number;
  /** Jobs that could not be changed any more. */
  readonly refused: number;
}

/** Times are milliseconds since 1970. */
export interface OperationRow extends OperationCounts {
  readonly operationId: string;
  readonly action: OperationOrder['action'];
  readonly status: 'running' | 'done' | 'aborted' | 'failed';
  readonly by: string;
  readonly error: string | null;
  readonly startedAt: number;
  readonly finishedAt: number | null;
}

/** An operation that somebody has to carry on. */
export interface OpenOperation extends OperationCounts {
  readonly operationId: string;
  readonly order: OperationOrder;
  readonly caller: CallContext;
  /** Where to go on; null at the beginning. */
  readonly cursor: string | null;
}

/** Keeps operations, so that an accepted one survives the process that accepted it. */
export interface OperationStore {
  create(operationId: string, caller: CallContext, order: OperationOrder): Promise<OperationRow>;
  get(tenantId: string, operationId: string): Promise<OperationRow | undefined>;
  /** Newest first. */
  list(tenantId: string, page: PageRequest): Promise<Page<OperationRow>>;
  /** Whether it was still running. */
  abort(tenantId: string, operationId: string): Promise<boolean>;
  /** The oldest operation that nobody works on, for half a minute; `save` prolongs that. */
  take(): Promise<OpenOperation | undefined>;
  /** False when it was aborted. */
  save(operationId: string, cursor: string, counts: OperationCounts): Promise<boolean>;
  finish(operationId: string, counts: OperationCounts, error?: string): Promise<void>;
}
