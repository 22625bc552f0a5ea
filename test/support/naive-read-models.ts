import type { ExistingJob, Job } from '../../src/domain/job/state.ts';
import type { AttemptRow, DeadLetterRow, JobRow } from '../../src/projections/queries.ts';
import type { History, HistoryStep } from './job-histories.ts';

/** The read models as one would write them down without a thought for speed: from the states that `evolve` gives. */

const exists = (job: Job): job is ExistingJob => job.status !== 'none' && job.status !== 'voided';

/** What Postgres makes of a text that it can't hold. */
export const stored = (text: string) => text.replaceAll('\0', '\uFFFD').toWellFormed();
const storedLine = (text: string) => stored(text).replaceAll('\n', '\uFFFD');

export function jobRows(histories: readonly History[]): readonly JobRow[] {
  return histories.flatMap(({ tenantId, jobId, steps }) => {
    const last = steps.at(-1);
    if (!last || !exists(last.after)) return [];
    const job = last.after;
    const start = steps.findLast(({ entry }) => entry.event.type === 'JobStarted')?.entry;
    return [
      {
        tenantId,
        jobId,
        revision: last.entry.revision,
        type: job.type,
        queue: job.queue,
        priority: job.priority,
        status: job.status,
        attempt: job.attempt,
        spentAttempts: job.spentAttempts,
        maxAttempts: job.maxAttempts,
        tags: job.tags.map(stored),
        dedupeKey: job.dedupeKey === undefined ? null : stored(job.dedupeKey),
        workerId: start?.event.type === 'JobStarted' ? start.event.data.workerId : null,
        enqueuedAt: job.enqueuedAt,
        runAt: job.runAt,
        startedAt: start?.metadata.occurredAt ?? null,
        finishedAt: job.finishedAt ?? null,
        updatedAt: last.entry.metadata.occurredAt,
        lastError: job.lastError
          ? {
              type: job.lastError.type,
              message: job.lastError.message,
              fingerprint: storedLine(job.lastError.fingerprint),
            }
          : null,
      },
    ];
  });
}

export function attemptRows({ tenantId, jobId, steps }: History): readonly AttemptRow[] {
  return steps.flatMap(({ entry }, index): AttemptRow[] => {
    if (entry.event.type !== 'JobStarted') return [];
    const end = steps
      .slice(index)
      .find(({ before, after }) => exists(before) && before.lease && exists(after) && !after.lease);
    const { attempt, workerId } = entry.event.data;
    return [
      {
        tenantId,
        jobId,
        startRevision: entry.revision,
        attempt,
        workerId,
        startedAt: entry.metadata.occurredAt,
        endedAt: end?.entry.metadata.occurredAt ?? null,
        outcome: end ? outcomeOf(end) : 'running',
        error: end ? errorOf(end) : null,
      },
    ];
  });
}

const OUTCOMES: Readonly<Record<string, AttemptRow['outcome']>> = {
  JobCompleted: 'completed',
  JobFailed: 'failed',
  JobReleased: 'released',
  LeaseExpired: 'lease_expired',
  JobCancelled: 'cancelled',
};

function outcomeOf({ entry }: HistoryStep): AttemptRow['outcome'] {
  const outcome = OUTCOMES[entry.event.type];
  if (!outcome) throw new Error(`${entry.event.type} ended an attempt`);
  return outcome;
}

function errorOf({ entry, after }: HistoryStep): AttemptRow['error'] {
  if (entry.event.type !== 'JobFailed' && entry.event.type !== 'LeaseExpired') return null;
  if (!exists(after) || !after.lastError) return null;
  return { ...after.lastError, stack: after.lastError.stack ?? null };
}

export function deadLetterRows(histories: readonly History[]): readonly DeadLetterRow[] {
  return histories.flatMap(({ tenantId, jobId, steps }) => {
    const job = steps.at(-1)?.after;
    const death = steps.findLast(({ entry }) => entry.event.type === 'JobDeadLettered')?.entry;
    if (!job || !exists(job) || job.status !== 'dead_lettered' || death?.event.type !== 'JobDeadLettered')
      return [];
    const { type, queue, reason, attempt, error } = death.event.data;
    return [
      {
        tenantId,
        jobId,
        revision: death.revision,
        type,
        queue,
        reason,
        attempts: attempt,
        error: {
          type: error.type,
          message: error.message,
          fingerprint: storedLine(error.fingerprint) || '-',
        },
        enqueuedAt: job.enqueuedAt,
        deadLetteredAt: death.metadata.occurredAt,
      },
    ];
  });
}
