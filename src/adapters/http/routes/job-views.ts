import { statusAt } from '../../../domain/job/status-at.ts';
import type { AttemptRow, JobRow } from '../../../projections/queries.ts';
import { errorAsSeen } from '../as-seen.ts';
import type { JobAttempt, JobSummary } from '../contract/jobs.ts';
import { errorView } from '../job-json.ts';
import type { Redaction } from '../redaction.ts';
import { formatOptionalTime, formatTime } from '../rfc3339.ts';

/** A row of the jobs read model as the contract has it. */
export const summaryView = (row: JobRow, now: number, redaction: Redaction | null): JobSummary => ({
  id: row.jobId,
  tenantId: row.tenantId,
  revision: row.revision,
  type: row.type,
  queue: row.queue,
  priority: row.priority,
  status: statusAt(row, now),
  attempt: row.attempt,
  spentAttempts: row.spentAttempts,
  maxAttempts: row.maxAttempts,
  tags: [...row.tags],
  dedupeKey: row.dedupeKey,
  workerId: row.workerId,
  enqueuedAt: formatTime(row.enqueuedAt),
  runAt: formatTime(row.runAt),
  startedAt: formatOptionalTime(row.startedAt),
  finishedAt: formatOptionalTime(row.finishedAt),
  updatedAt: formatTime(row.updatedAt),
  lastError: errorAsSeen(row.lastError, redaction),
});

export const attemptView = (row: AttemptRow, redaction: Redaction | null): JobAttempt => ({
  attempt: row.attempt,
  startRevision: row.startRevision,
  workerId: row.workerId,
  startedAt: formatTime(row.startedAt),
  endedAt: formatOptionalTime(row.endedAt),
  outcome: row.outcome,
  error: row.error && errorView(errorAsSeen(row.error, redaction)),
});
