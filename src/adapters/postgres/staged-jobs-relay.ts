import type pg from 'pg';
import { pause } from '../../commands/pause.ts';
import type { StagedBatch, StagedRequest } from '../../commands/staged-jobs.ts';
import { type Logger, type Metrics, noLogger, noMetrics } from '../../commands/telemetry.ts';
import type { EnqueueResult } from '../../commands/use-cases.ts';
import { asJsonText } from '../../domain/json-text.ts';
import type { Actor } from '../../domain/metadata.ts';

export interface StagedJobsRelaySettings {
  readonly pool: pg.Pool;
  /** Enqueues under the given ids; repeated, it changes nothing. */
  readonly enqueue: (batch: StagedBatch) => Promise<readonly EnqueueResult[]>;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  /** How often committed jobs are looked for. Default 25 ms. */
  readonly pollMs?: number;
}

export interface StagedJobsRelay {
  /** Runs until the signal aborts; throws when the database fails, to be run again. Any number may run at once. */
  run(signal: AbortSignal): Promise<void>;
  /** A transaction with staged jobs has just committed in this process: don't wait for the next look. */
  wake(): void;
}

/** With payloads of full size that is 64 MB. */
const MAX_ROWS = 250;
/** Part of the time that may go into looking at the whole table. */
const WHOLE_SHARE = 1 / 20;

/**
 * Moves staged jobs into the log. Rows stay locked until their jobs are durable and are deleted in the same transaction;
 * when the relay dies in between, they are enqueued once more under the same ids, which changes nothing.
 */
export function createStagedJobsRelay(settings: StagedJobsRelaySettings): StagedJobsRelay {
  const { pool, pollMs = 25 } = settings;
  let waker = new AbortController();

  return {
    wake: () => waker.abort(),
    async run(signal) {
      let seen = 0n;
      let lookAtAllFrom = 0;
      while (!signal.aborted) {
        waker = new AbortController();
        // While somebody's old transaction keeps deleted rows from being cleared away, looking through all of them is
        // slow. So it is done less often then, and rows that are new, as nearly all are, are found without it.
        const startedAt = performance.now();
        const all = startedAt >= lookAtAllFrom;
        const after = all ? 0n : seen;
        const waiting = await isWaiting(pool, after);
        if (all) lookAtAllFrom = startedAt + (performance.now() - startedAt) / WHOLE_SHARE;
        const last = waiting ? await relay(settings, after) : undefined;
        if (last !== undefined && last > seen) seen = last;
        if (last === undefined) await pause(pollMs, AbortSignal.any([signal, waker.signal]));
      }
    },
  };
}

async function isWaiting(pool: pg.Pool, after: bigint): Promise<boolean> {
  const { rows } = await pool.query<{ waiting: boolean }>({
    name: 'staged_jobs_waiting',
    text: WAITING,
    values: [`${after}`],
  });
  return rows[0]?.waiting ?? false;
}

/** Moves one batch of rows; answers the id of the last one, undefined when other relays have them all. */
async function relay(settings: StagedJobsRelaySettings, after: bigint): Promise<bigint | undefined> {
  const client = await settings.pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin');
    const { rows } = await client.query<StagedRow>({
      name: 'staged_jobs_due',
      text: DUE,
      values: [`${after}`, MAX_ROWS],
    });
    const { moved, failed } = await enqueueAll(settings, groupByCommand(rows));
    if (moved.length > 0) await client.query(DELETE, [moved]);
    if (failed.length > 0) await client.query(POSTPONE, [failed]);
    await client.query('commit');
    const last = rows.at(-1);
    return last && BigInt(last.id);
  } catch (error) {
    broken = error as Error;
    throw error;
  } finally {
    client.release(broken);
  }
}

async function enqueueAll(
  { enqueue, logger = noLogger, metrics = noMetrics }: StagedJobsRelaySettings,
  groups: readonly Group[],
): Promise<{ readonly moved: readonly string[]; readonly failed: readonly string[] }> {
  const moved: string[] = [];
  const failed: string[] = [];
  await Promise.all(
    groups.map(async ({ batch, ids }) => {
      try {
        const results = await enqueue(batch);
        results.forEach((result, index) => {
          if (result.kind !== 'refused') return;
          const jobId = batch.requests[index]?.jobId;
          logger.error({ jobId, reason: result.reason }, 'staged job refused');
        });
        moved.push(...ids);
      } catch (err) {
        logger.warn({ err, commandId: batch.commandId, jobs: ids.length }, 'staged jobs wait');
        failed.push(...ids);
      }
    }),
  );
  if (moved.length > 0) metrics.count('staged_jobs_relayed_total', moved.length);
  return { moved, failed };
}

interface StagedRow {
  readonly id: string;
  readonly tenant_id: string;
  readonly job_id: string;
  readonly command_id: string;
  readonly context: string;
  readonly request: string;
  readonly payload: string;
}

interface Group {
  readonly batch: StagedBatch;
  readonly ids: readonly string[];
}

function groupByCommand(rows: readonly StagedRow[]): readonly Group[] {
  const groups = new Map<string, { batch: StagedBatch & { requests: StagedRequest[] }; ids: string[] }>();
  for (const row of rows) {
    const request: StagedRequest = {
      ...(JSON.parse(row.request) as Omit<StagedRequest, 'jobId' | 'payload'>),
      jobId: row.job_id,
      payload: asJsonText(row.payload),
    };
    const group = groups.get(row.command_id);
    if (group) {
      group.batch.requests.push(request);
      group.ids.push(row.id);
      continue;
    }
    const context = JSON.parse(row.context) as { actor: Actor; correlationId: string; traceparent?: string };
    const batch = {
      context: { tenantId: row.tenant_id, ...context },
      commandId: row.command_id,
      requests: [request],
    };
    groups.set(row.command_id, { batch, ids: [row.id] });
  }
  return [...groups.values()];
}

const WAITING = `
select exists (
  select
  from eventzr.staged_jobs
  where id > $1 and due_at <= now()
) as waiting`;

const DUE = `
select id, tenant_id, job_id, command_id, context, request, payload
from eventzr.staged_jobs
where id > $1 and due_at <= now()
order by id
limit $2
for update skip locked`;

const DELETE = `
delete from eventzr.staged_jobs
where id = any ($1::bigint[])`;

const POSTPONE = `
update eventzr.staged_jobs
set
  due_at = clock_timestamp() + least(60, power(2, least(failures, 6))) * interval '1 second',
  failures = failures + 1
where id = any ($1::bigint[])`;
