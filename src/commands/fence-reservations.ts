import type { Job } from '../domain/job/state.ts';
import { jobStream } from '../domain/job/stream.ts';
import type { Known } from './handle.ts';
import type { JobHandler } from './job-handler.ts';
import { pause } from './pause.ts';
import { type EventLog, NO_STREAM } from './ports.ts';
import type { OverdueSlot } from './quota-accounts.ts';
import { type SettleQuotasDeps, settle } from './settle-quotas.ts';
import { systemMetadata } from './system-metadata.ts';
import { noLogger, noMetrics } from './telemetry.ts';

export interface FenceReservationsDeps extends SettleQuotasDeps {
  readonly log: EventLog;
  readonly jobs: JobHandler;
  /** How long a reservation may wait for its job. Default one minute. */
  readonly afterMs?: number | undefined;
}

const AFTER_MS = 60_000;
const EVERY_MS = 1_000;
const BATCH = 500;

/**
 * Background task: makes sure that jobs which were reserved and never came never come, and frees their slots. Any number
 * may run: of those who write the first event of a stream, one wins. Rejects when the database or the log fails.
 */
export function fenceReservations(deps: FenceReservationsDeps): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    while (!signal.aborted) {
      await fenceOverdue(deps);
      await pause(EVERY_MS, signal);
    }
  };
}

const NOTHING: Known<Job> = { state: { status: 'none' }, revision: NO_STREAM };

/** Fences what is overdue, at most 500 reservations. */
export async function fenceOverdue(deps: FenceReservationsDeps): Promise<void> {
  const { accounts, clock, afterMs = AFTER_MS, logger = noLogger, metrics = noMetrics } = deps;
  const now = clock.now();
  const overdue = await accounts.overdue(now - afterMs, BATCH);
  metrics.gauge('quota_reservations_overdue', overdue.length);
  metrics.gauge('quota_task_ran_at', now / 1_000, { task: 'fence' });
  if (overdue.length === 0) return;
  const { voided, existing } = await voidJobs(deps, overdue, now);
  if (voided > 0)
    logger.warn({ jobs: voided }, 'jobs were reserved but never enqueued; their slots are free');
  if (voided > 0) metrics.count('quota_fenced_total', voided, { outcome: 'voided' });
  const leftOver = await findLeftOver(deps.log, existing);
  if (leftOver.length === 0) return;
  for (const found of await accounts.waiting(leftOver)) {
    const settled = await settle(deps, found);
    if (settled.kind !== 'settled') continue;
    metrics.count('quota_fenced_total', found.waiting.length, { outcome: 'duplicate' });
  }
}

/** The fence: whoever creates the job later finds its stream taken. */
async function voidJobs(
  { jobs, ids }: FenceReservationsDeps,
  slots: readonly OverdueSlot[],
  at: number,
): Promise<{ readonly voided: number; readonly existing: readonly OverdueSlot[] }> {
  const causationId = ids.next();
  const handled = await jobs.handle(
    slots.map(({ tenantId, jobId }) => ({
      stream: jobStream(tenantId, jobId),
      command: { type: 'VoidJob', reason: 'reserved but never enqueued', at },
      metadata: systemMetadata('reservation-fence', tenantId, causationId, at),
      assume: NOTHING,
    })),
  );
  const wrote = (index: number): boolean => {
    const answer = handled[index];
    return answer?.kind === 'accepted' && answer.events.length > 0;
  };
  return {
    voided: slots.filter((_, index) => wrote(index)).length,
    existing: slots.filter((_, index) => !wrote(index)),
  };
}

/**
 * Slots reserved for a job that was there already, under another reservation or void: no event of the job will ever free
 * them. A slot that is older than its job's first event is freed, or used, by that event, once it has been counted.
 */
async function findLeftOver(log: EventLog, slots: readonly OverdueSlot[]): Promise<readonly OverdueSlot[]> {
  const leftOver: OverdueSlot[] = [];
  for (const slot of slots) {
    const [first] = await log.readStream(jobStream(slot.tenantId, slot.jobId), { limit: 1 });
    if (first && first.position < BigInt(slot.position)) leftOver.push(slot);
  }
  return leftOver;
}
