import type { CallContext } from '../../commands/call-context.ts';
import { pause } from '../../commands/pause.ts';
import type { Ids } from '../../commands/ports.ts';
import { type Logger, noLogger } from '../../commands/telemetry.ts';
import type { UseCases } from '../../commands/use-cases.ts';
import { unreachable } from '../../domain/decider.ts';
import type { Actor } from '../../domain/metadata.ts';
import type { JobFilter, Queries } from '../../projections/queries.ts';
import { isDatabaseAway } from '../postgres/sql-errors.ts';
import type {
  OpenOperation,
  OperationCounts,
  OperationOrder,
  OperationRow,
  OperationStore,
} from './operation-store.ts';

export interface BulkOperationsDeps {
  readonly store: OperationStore;
  readonly queries: Pick<Queries, 'listJobs' | 'listDeadLetters'>;
  readonly useCases: Pick<UseCases, 'cancelJob' | 'retryJob' | 'replayDeadLetter' | 'purgeDeadLetter'>;
  /** Why an actor may go on no longer; undefined: it may. */
  readonly keyEnd: (actor: Actor) => Promise<string | undefined>;
  readonly ids: Ids;
  readonly logger?: Logger | undefined;
}

export interface OperationPreview {
  readonly matched: number;
  readonly more: boolean;
  readonly sample: readonly string[];
}

const PAGE = 100;
const AT_ONCE = 10;
const PREVIEW_PAGES = 10;
const SAMPLE = 10;
const IDLE_MS = 1_000;
const MOST_TRIES = 5;
/** What passes by itself. */
const PASSING = new Set(['log_overloaded', 'log_unavailable', 'contended']);

/** One action on many jobs: accepted at once, carried out in pages by whichever process gets to it. */
export class BulkOperations {
  readonly #deps: BulkOperationsDeps;
  #wake = Promise.withResolvers<void>();

  constructor(deps: BulkOperationsDeps) {
    this.#deps = deps;
  }

  /** Accepted when it resolves; it will be carried out even if this process dies. */
  async start(caller: CallContext, order: OperationOrder): Promise<OperationRow> {
    const { store, ids } = this.#deps;
    const row = await store.create(ids.next(), caller, order);
    this.#wake.resolve();
    return row;
  }

  /** What an operation would find now; changes nothing. Counts up to 1,000. */
  async preview(tenantId: string, order: OperationOrder): Promise<OperationPreview> {
    const found: string[] = [];
    let cursor: string | null = null;
    for (let page = 0; page < PREVIEW_PAGES; page += 1) {
      const next: Found = await find(this.#deps.queries, tenantId, order, cursor);
      found.push(...next.jobIds);
      cursor = next.cursor;
      if (cursor === null) break;
    }
    return { matched: found.length, more: cursor !== null, sample: found.slice(0, SAMPLE) };
  }

  /** Carries operations out until the signal aborts. Rejects when database or log fail: what is cut short is gone on with later. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers();
      const operation = await this.#deps.store.take();
      if (operation) await this.#carryOut(operation, signal);
      else await Promise.race([pause(IDLE_MS, signal), this.#wake.promise]);
    }
  }

  async #carryOut(operation: OpenOperation, signal: AbortSignal): Promise<void> {
    const { store, queries, keyEnd, logger = noLogger } = this.#deps;
    const { operationId, order, caller } = operation;
    let { cursor, ...counts }: { cursor: string | null } & OperationCounts = operation;
    try {
      while (!signal.aborted) {
        const found = await find(queries, caller.tenantId, order, cursor);
        for (let at = 0; at < found.jobIds.length; at += AT_ONCE) {
          // For every few jobs: whoever revokes a key does not want to wait for the end of a page.
          const end = await keyEnd(caller.actor);
          if (end !== undefined)
            return await store.finish(operationId, counts, `${end}; what was changed stays changed`);
          const some = found.jobIds.slice(at, at + AT_ONCE);
          counts = add(counts, await this.#changeSome(operation, some, signal));
        }
        cursor = found.cursor;
        if (cursor === null) return await store.finish(operationId, counts);
        if (!(await store.save(operationId, cursor, counts))) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isPassing(error)) throw error;
      logger.error({ err: error, operationId }, 'operation failed');
      await store.finish(operationId, counts, error instanceof Error ? error.message : String(error));
    }
  }

  async #changeSome(
    operation: OpenOperation,
    jobIds: readonly string[],
    signal: AbortSignal,
  ): Promise<OperationCounts> {
    const outcomes = await Promise.all(jobIds.map((jobId) => this.#changeOne(operation, jobId, signal)));
    const changed = outcomes.filter(Boolean).length;
    return { seen: jobIds.length, changed, refused: jobIds.length - changed };
  }

  async #changeOne({ caller, order }: OpenOperation, jobId: string, signal: AbortSignal): Promise<boolean> {
    for (let tries = 1; ; tries += 1) {
      try {
        return (await change(this.#deps.useCases, caller, jobId, order)).kind === 'changed';
      } catch (error) {
        if (!PASSING.has(codeOf(error)) || tries === MOST_TRIES) throw error;
        await pause(200 * tries, signal);
      }
    }
  }
}

interface Found {
  readonly jobIds: readonly string[];
  /** null: that was the last page. */
  readonly cursor: string | null;
}

/** Lists go from new to old, so what is enqueued meanwhile is never met. */
async function find(
  queries: BulkOperationsDeps['queries'],
  tenantId: string,
  order: OperationOrder,
  cursor: string | null,
): Promise<Found> {
  const { action, ids, filter = {} } = order;
  if (ids) {
    const from = Number(cursor ?? 0);
    const rest = from + PAGE < ids.length ? String(from + PAGE) : null;
    return { jobIds: ids.slice(from, from + PAGE), cursor: rest };
  }
  const page = { limit: PAGE, cursor: cursor ?? undefined };
  const { rows, nextCursor } =
    action === 'cancel' || action === 'retry'
      ? await queries.listJobs(tenantId, { ...DEFAULTS[action], ...filter }, page)
      : await queries.listDeadLetters(tenantId, { ...filter, fingerprint: filter.error }, page);
  return { jobIds: rows.map(({ jobId }) => jobId), cursor: nextCursor };
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : '';

const isPassing = (error: unknown): boolean => PASSING.has(codeOf(error)) || isDatabaseAway(error);

const DEFAULTS: Readonly<Record<'cancel' | 'retry', JobFilter>> = {
  cancel: { status: ['scheduled', 'queued', 'running', 'retrying'] },
  retry: { status: ['retrying'] },
};

function change(
  useCases: BulkOperationsDeps['useCases'],
  caller: CallContext,
  jobId: string,
  { action, reason }: OperationOrder,
) {
  switch (action) {
    case 'cancel':
      return useCases.cancelJob(caller, jobId, { reason });
    case 'retry':
      return useCases.retryJob(caller, jobId, { reason });
    case 'replay':
      return useCases.replayDeadLetter(caller, jobId, { reason });
    case 'purge':
      return useCases.purgeDeadLetter(caller, jobId, { reason: reason ?? 'purged' });
    default:
      return unreachable(action);
  }
}

const add = (one: OperationCounts, other: OperationCounts): OperationCounts => ({
  seen: one.seen + other.seen,
  changed: one.changed + other.changed,
  refused: one.refused + other.refused,
});
