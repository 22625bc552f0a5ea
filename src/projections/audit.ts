import { ACTION_STREAM_PREFIX } from '../domain/action/stream.ts';
import { API_KEY_STREAM_PREFIX } from '../domain/api-key/stream.ts';
import { JOB_STREAM_PREFIX } from '../domain/job/stream.ts';
import { QUEUE_STREAM_PREFIX } from '../domain/queue/stream.ts';
import { QUOTA_STREAM_PREFIX } from '../domain/tenant-quota/stream.ts';
import { AUDITED_TYPES, type AuditEntry, auditEntryOf } from './audit-entry.ts';
import { lineArray, lines, texts, withoutNul } from './line-columns.ts';
import type { Projection, ProjectionTable, ProjectionWrite } from './projection.ts';

/** Keys' and actions' rows have tenant '*' when they concern several tenants or all. */
const auditTable: ProjectionTable = {
  name: 'audit',
  create: (table) => `
create table ${table} (
  tenant_id text collate "C" not null,
  stream text collate "C" not null,
  revision integer not null,
  position bigint not null,
  at bigint not null,
  actor text collate "C" not null,
  auth text collate "C" not null,
  action text collate "C" not null,
  subject text collate "C" not null,
  job_id uuid,
  reason text,
  request_id text,
  correlation_id text not null,
  details text not null,
  primary key (stream, revision)
)`,
  indexes: (table) => [
    `create index ${table}_time on ${table} (at, position, revision)`,
    `create index ${table}_tenant on ${table} (tenant_id, at, position, revision)`,
    `create index ${table}_actor on ${table} (tenant_id, actor, at, position, revision)`,
    `create index ${table}_action on ${table} (tenant_id, action, at, position, revision)`,
    `create index ${table}_job on ${table} (tenant_id, job_id, at, position, revision) where job_id is not null`,
  ],
};

/** Who did what, when and why: what people and their programs commanded, without enqueues and the work itself. */
export const auditProjection: Projection = {
  name: 'audit',
  version: 1,
  prefixes: [
    JOB_STREAM_PREFIX,
    QUEUE_STREAM_PREFIX,
    QUOTA_STREAM_PREFIX,
    API_KEY_STREAM_PREFIX,
    ACTION_STREAM_PREFIX,
  ],
  eventTypes: AUDITED_TYPES,
  needsContent: false,
  unlogged: false,
  tables: [auditTable],
  async apply(events, write) {
    const entries: AuditEntry[] = [];
    for (const event of events) {
      const entry = auditEntryOf(event);
      if (entry) entries.push(entry);
    }
    if (entries.length > 0) await insert(entries, write);
  },
};

async function insert(entries: readonly AuditEntry[], { client, table }: ProjectionWrite): Promise<void> {
  await client.query(insertSql(table('audit')), [
    lines(entries, ({ tenantId }) => tenantId),
    entries.map(({ stream }) => stream),
    lines(entries, ({ revision }) => revision),
    lines(entries, ({ position }) => String(position)),
    lines(entries, ({ at }) => at),
    entries.map(({ actor }) => withoutNul(actor)),
    lines(entries, ({ auth }) => auth),
    lines(entries, ({ action }) => action),
    entries.map(({ subject }) => withoutNul(subject)),
    lines(entries, ({ jobId }) => jobId),
    texts(entries, ({ reason }) => (reason === undefined ? undefined : withoutNul(reason))),
    texts(entries, ({ requestId }) => requestId),
    entries.map(({ correlationId }) => withoutNul(correlationId)),
    entries.map(({ details }) => details),
  ]);
}

/** What was written stays as it is: an event has one row, told once or twice. */
const insertSql = (table: string) => `
insert into ${table} (
  tenant_id, stream, revision, position, at, actor, auth, action, subject, job_id, reason, request_id, correlation_id,
  details
)
select *
from unnest(
  ${lineArray(1)}, $2::text[], ${lineArray(3, 'integer')}, ${lineArray(4, 'bigint')}, ${lineArray(5, 'bigint')},
  $6::text[], ${lineArray(7)}, ${lineArray(8)}, $9::text[], ${lineArray(10, 'uuid')}, $11::text[], $12::text[],
  $13::text[], $14::text[]
)
on conflict (stream, revision) do nothing`;
