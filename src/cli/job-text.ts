import type { Job, JobSummary } from '../adapters/http/contract/jobs.ts';
import { ageText, jsonText, plainText, shortText, sinceText, statusText } from './format.ts';
import type { Output } from './output.ts';

/** A job for people, in full. */
export function jobText(out: Output, job: Job): string {
  const { lastError, cancelRequest, lease } = job;
  return out.fields([
    ['id', job.id],
    ['type', job.type],
    ['tenant', job.tenantId],
    ['queue', `${job.queue}, priority ${job.priority}`],
    ['status', statusText(out, job.status)],
    ['reason', job.reason === null ? undefined : plainText(job.reason)],
    ['attempts', `${job.spentAttempts} of ${job.maxAttempts} spent`],
    ['worker', lease ? `${lease.workerId}, since ${sinceText(lease.startedAt)}` : undefined],
    ['cancel', cancelRequest ? `asked for, forced at ${cancelRequest.forceAt}` : undefined],
    ['enqueued', `${job.enqueuedAt} (${sinceText(job.enqueuedAt)})`],
    ['run at', job.runAt === job.enqueuedAt ? undefined : `${job.runAt} (${sinceText(job.runAt)})`],
    ['deadline', job.deadlineAt ?? undefined],
    ['finished', job.finishedAt ? `${job.finishedAt} (${sinceText(job.finishedAt)})` : undefined],
    ['timeout', job.timeoutMs === null ? undefined : ageText(job.timeoutMs)],
    ['tags', job.tags.length > 0 ? job.tags.map(plainText).join(', ') : undefined],
    ['dedupe key', job.dedupeKey === null ? undefined : plainText(job.dedupeKey)],
    ['revision', String(job.revision)],
    [
      'last error',
      lastError ? plainText(`${lastError.type}: ${lastError.message} (${lastError.fingerprint})`) : undefined,
    ],
    ['payload', jsonText(job.payload)],
    ['result', job.result === undefined ? undefined : jsonText(job.result)],
  ]);
}

/** Rows of a list of jobs. */
export function jobTable(out: Output, jobs: readonly JobSummary[]): string {
  const rows = jobs.map((job) => [
    job.id,
    job.type,
    job.queue,
    statusText(out, job.status),
    `${job.spentAttempts}/${job.maxAttempts}`,
    sinceText(job.updatedAt),
    shortText(job.lastError ? `${job.lastError.type}: ${job.lastError.message}` : '', 50),
  ]);
  return out.table(['JOB', 'TYPE', 'QUEUE', 'STATUS', 'ATTEMPTS', 'CHANGED', 'LAST ERROR'], rows);
}
