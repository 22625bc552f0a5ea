import { z } from 'zod';
import type { AuditFilter, AuditRow } from '../../../projections/audit-queries.ts';
import type { Page, PageRequest } from '../../../projections/queries.ts';
import { pageCursors, pageLimit } from './page-cursor.ts';
import { Parameters, type QueryContext, read } from './read.ts';

/** Time, position and revision: events of one command share the first, and in EventStoreDB perhaps the second. */
const cursors = pageCursors('audit', z.tuple([z.int(), z.string().regex(/^\d{1,19}$/), z.int()]));

interface StoredEntry {
  readonly tenant_id: string;
  readonly stream: string;
  readonly revision: number;
  readonly position: string;
  readonly at: string;
  readonly actor: string;
  readonly auth: string;
  readonly action: string;
  readonly subject: string;
  readonly job_id: string | null;
  readonly reason: string | null;
  readonly request_id: string | null;
  readonly correlation_id: string;
  readonly details: string;
}

/** Newest first. */
export async function listAudit(
  { pool }: QueryContext,
  filter: AuditFilter,
  request: PageRequest,
): Promise<Page<AuditRow>> {
  const from = cursors.read(request.cursor ?? undefined);
  const limit = pageLimit(request);
  const parameters = new Parameters();
  const where = conditions(filter, parameters);
  if (from) {
    const compare = from.towards === 'older' ? '<' : '>';
    const key = from.key.map((part) => parameters.add(part)).join(', ');
    where.push(`(at, position, revision) ${compare} (${key})`);
  }
  const order = from?.towards === 'newer' ? 'asc' : 'desc';
  const rows = await read<StoredEntry>(
    pool,
    `${SELECT}
${where.length > 0 ? `where ${where.join('\n  and ')}` : ''}
order by at ${order}, position ${order}, revision ${order}
limit ${parameters.add(limit + 1)}`,
    parameters.values,
  );
  const page = cursors.page(rows, from, limit, ({ at, position, revision }) => [
    Number(at),
    position,
    revision,
  ]);
  return { ...page, rows: page.rows.map(toRow) };
}

function conditions(
  { tenantId, actor, actions, jobId, from, to }: AuditFilter,
  parameters: Parameters,
): string[] {
  return [
    ...(tenantId === null ? [] : [`tenant_id = ${parameters.add(tenantId)}`]),
    ...(actor === undefined ? [] : [`actor = ${parameters.add(actor)}`]),
    ...(actions === undefined ? [] : [`action = any (${parameters.add(actions)})`]),
    ...(jobId === undefined ? [] : [`job_id = ${parameters.add(jobId)}`]),
    ...(from === undefined ? [] : [`at >= ${parameters.add(from)}`]),
    ...(to === undefined ? [] : [`at < ${parameters.add(to)}`]),
  ];
}

const toRow = (row: StoredEntry): AuditRow => ({
  tenantId: row.tenant_id === '*' ? null : row.tenant_id,
  stream: row.stream,
  revision: row.revision,
  at: Number(row.at),
  actor: { id: row.actor, auth: row.auth },
  action: row.action,
  subject: row.subject,
  jobId: row.job_id,
  reason: row.reason,
  requestId: row.request_id,
  correlationId: row.correlation_id,
  details: row.details,
});

const SELECT = `
select
  tenant_id, stream, revision, position, at, actor, auth, action, subject, job_id, reason, request_id, correlation_id,
  details
from audit`;
