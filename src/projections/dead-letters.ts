import type { DecodedEvent } from '../commands/decoded-event.ts';
import type { JobDeadLettered } from '../domain/job/events.ts';
import { JOB_STREAM_PREFIX } from '../domain/job/stream.ts';
import { isJobEntry } from './job-change.ts';
import { lineArray, lines, oneLine } from './line-columns.ts';
import type { Projection, ProjectionTable, ProjectionWrite } from './projection.ts';

const deadLettersTable: ProjectionTable = {
  name: 'dead_letters',
  create: (table) => `
create table ${table} (
  tenant_id text collate "C" not null,
  job_id uuid not null,
  revision integer not null,
  attempts integer not null,
  dead_lettered_at bigint not null,
  type text collate "C" not null,
  queue text collate "C" not null,
  reason text collate "C" not null,
  fingerprint text collate "C" not null,
  error text not null,
  primary key (tenant_id, job_id)
)`,
  indexes: (table) => [
    `create index ${table}_time on ${table} (tenant_id, dead_lettered_at, job_id)`,
    // First, last and page of a group.
    `create index ${table}_group on ${table} (tenant_id, fingerprint, type, queue, dead_lettered_at, job_id)`,
  ],
};

/** Dead letters that are alike. Counted as rows come and go; when and what the last one was is read from `dead_letters`. */
const groupsTable: ProjectionTable = {
  name: 'dead_letter_groups',
  create: (table) => `
create table ${table} (
  tenant_id text collate "C" not null,
  fingerprint text collate "C" not null,
  type text collate "C" not null,
  queue text collate "C" not null,
  jobs bigint not null,
  primary key (tenant_id, fingerprint, type, queue)
)`,
  indexes: () => [],
};

/** What waits for a person. A row goes when its job is replayed or purged. */
export const deadLettersProjection: Projection = {
  name: 'dead-letters',
  version: 1,
  prefixes: [JOB_STREAM_PREFIX],
  needsContent: false,
  unlogged: false,
  eventTypes: new Set(['JobDeadLettered', 'DeadLetterReplayed', 'DeadLetterPurged']),
  tables: [deadLettersTable, groupsTable],
  async apply(events, write) {
    const { gone, dead } = foldDeadLetters(events);
    if (gone.length > 0) await remove(gone, write);
    if (dead.length > 0) await add(dead, write);
  },
};

interface Gone {
  readonly tenantId: string;
  readonly jobId: string;
  readonly revision: number;
}

interface Dead extends Gone {
  readonly at: number;
  readonly data: JobDeadLettered['data'];
}

interface Folded {
  readonly gone: readonly Gone[];
  readonly dead: readonly Dead[];
}

function foldDeadLetters(events: readonly DecodedEvent[]): Folded {
  const dead = new Map<string, Dead>();
  const gone = new Map<string, Gone>();
  for (const entry of events) {
    if (!isJobEntry(entry)) continue;
    const { stream, tenantId, jobId, revision, event } = entry;
    if (event.type === 'JobDeadLettered') {
      const at = entry.metadata.occurredAt;
      dead.set(stream, { tenantId, jobId, revision, at, data: event.data });
    } else if (event.type === 'DeadLetterReplayed' || event.type === 'DeadLetterPurged') {
      dead.delete(stream);
      gone.set(stream, { tenantId, jobId, revision });
    }
  }
  return { gone: [...gone.values()], dead: [...dead.values()] };
}

async function remove(gone: readonly Gone[], { client, table }: ProjectionWrite): Promise<void> {
  const keys = [
    lines(gone, ({ tenantId }) => tenantId),
    lines(gone, ({ jobId }) => jobId),
    lines(gone, ({ revision }) => revision),
  ];
  await client.query(removeSql(table('dead_letters'), table('dead_letter_groups')), keys);
  await client.query(dropEmptyGroups(table('dead_letter_groups')), [
    lines([...new Set(gone.map(({ tenantId }) => tenantId))], (tenantId) => tenantId),
  ]);
}

async function add(dead: readonly Dead[], { client, table }: ProjectionWrite): Promise<void> {
  await client.query(addSql(table('dead_letters'), table('dead_letter_groups')), [
    lines(dead, ({ tenantId }) => tenantId),
    lines(dead, ({ jobId }) => jobId),
    lines(dead, ({ revision }) => revision),
    lines(dead, ({ data }) => data.attempt),
    lines(dead, ({ at }) => at),
    lines(dead, ({ data }) => data.type),
    lines(dead, ({ data }) => data.queue),
    lines(dead, ({ data }) => data.reason),
    lines(dead, ({ data }) => oneLine(data.error.fingerprint) || NO_FINGERPRINT),
    lines(dead, ({ data }) => JSON.stringify({ type: data.error.type, message: data.error.message })),
  ]);
}

const NO_FINGERPRINT = '-';

const removeSql = (deadLetters: string, groups: string) => `
with removed as (
  delete from ${deadLetters} as t
  using unnest(${lineArray(1)}, ${lineArray(2, 'uuid')}, ${lineArray(3, 'integer')}) as g (tenant_id, job_id, revision)
  where t.tenant_id = g.tenant_id
    and t.job_id = g.job_id
    and t.revision < g.revision
  returning t.tenant_id, t.fingerprint, t.type, t.queue
), counted as (
  select tenant_id, fingerprint, type, queue, count(*) as jobs
  from removed
  group by tenant_id, fingerprint, type, queue
)
update ${groups} as t
set jobs = t.jobs - c.jobs
from counted as c
where t.tenant_id = c.tenant_id
  and t.fingerprint = c.fingerprint
  and t.type = c.type
  and t.queue = c.queue`;

const dropEmptyGroups = (groups: string) => `
delete from ${groups}
where tenant_id = any (${lineArray(1)})
  and jobs = 0`;

/**
 * A job can't die twice without being replayed between, and `remove` came first: a row that is still there is the same
 * death told again.
 */
const addSql = (deadLetters: string, groups: string) => `
with added as (
  insert into ${deadLetters} (
    tenant_id, job_id, revision, attempts, dead_lettered_at, type, queue, reason, fingerprint, error
  )
  select *
  from unnest(
    ${lineArray(1)}, ${lineArray(2, 'uuid')}, ${lineArray(3, 'integer')}, ${lineArray(4, 'integer')},
    ${lineArray(5, 'bigint')}, ${lineArray(6)}, ${lineArray(7)}, ${lineArray(8)}, ${lineArray(9)}, ${lineArray(10)}
  )
  on conflict (tenant_id, job_id) do nothing
  returning tenant_id, fingerprint, type, queue
)
insert into ${groups} as t (tenant_id, fingerprint, type, queue, jobs)
select tenant_id, fingerprint, type, queue, count(*)
from added
group by tenant_id, fingerprint, type, queue
on conflict (tenant_id, fingerprint, type, queue) do update
set jobs = t.jobs + excluded.jobs`;
