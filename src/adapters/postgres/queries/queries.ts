import type { Queries } from '../../../projections/queries.ts';
import { listAudit } from './audit.ts';
import { getDeadLetter, groupDeadLetters, listDeadLetters } from './dead-letters.ts';
import { listAttempts } from './list-attempts.ts';
import { listJobs } from './list-jobs.ts';
import { getQueue, listQueues } from './queues.ts';
import { listTenants, usageOf } from './quota.ts';
import { balanceAt, quotaHistory } from './quota-history.ts';
import type { QueryContext } from './read.ts';
import { timeseries } from './timeseries.ts';

/** Queries over the live read models. Listing throws InvalidCursorError; everything rejects when the database does. */
export function createQueries(context: QueryContext): Queries {
  return {
    listJobs: (tenantId, filter, page) => listJobs(context, tenantId, filter, page),
    listAttempts: (tenantId, jobId) => listAttempts(context, tenantId, jobId),
    listDeadLetters: (tenantId, filter, page) => listDeadLetters(context, tenantId, filter, page),
    getDeadLetter: (tenantId, jobId) => getDeadLetter(context, tenantId, jobId),
    groupDeadLetters: (tenantId, filter, limit) => groupDeadLetters(context, tenantId, filter, limit),
    listQueues: (tenantId) => listQueues(context, tenantId),
    getQueue: (tenantId, queue) => getQueue(context, tenantId, queue),
    usageOf: (tenantId) => usageOf(context, tenantId),
    listTenants: (filter, page) => listTenants(context, filter, page),
    quotaHistory: (tenantId, range) => quotaHistory(context, tenantId, range),
    balanceAt: (tenantId, at) => balanceAt(context, tenantId, at),
    listAudit: (filter, page) => listAudit(context, filter, page),
    timeseries: (tenantId, range) => timeseries(context, tenantId, range),
  };
}
