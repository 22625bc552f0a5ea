import type { JobChange } from './job-change.ts';
import { lineArray, lines } from './line-columns.ts';
import type { ProjectionTable, ProjectionWrite } from './projection.ts';

/**
 * Jobs by tag, newest last. A table of its own rather than a GIN index on `jobs`: that would be written at every change
 * of every job, this one only for jobs that have tags, once; and it gives pages in the order of the list.
 */
export const jobTagsTable: ProjectionTable = {
  name: 'job_tags',
  create: (table) => `
create table ${table} (
  tenant_id text collate "C" not null,
  tag text collate "C" not null,
  job_id uuid not null,
  primary key (tenant_id, tag, job_id)
)`,
  indexes: () => [],
};

/** Before the rows of amended jobs get their new tags. */
export async function untagJobs(changes: readonly JobChange[], write: ProjectionWrite): Promise<void> {
  if (changes.length === 0) return;
  await write.client.query(untagSql(write.table('jobs'), write.table('job_tags')), keysOf(changes));
}

/** After the rows have their tags. */
export async function tagJobs(changes: readonly JobChange[], write: ProjectionWrite): Promise<void> {
  if (changes.length === 0) return;
  await write.client.query(tagSql(write.table('jobs'), write.table('job_tags')), keysOf(changes));
}

const keysOf = (changes: readonly JobChange[]) => [
  lines(changes, ({ tenantId }) => tenantId),
  lines(changes, ({ jobId }) => jobId),
];

const untagSql = (jobs: string, jobTags: string) => `
delete from ${jobTags} as t
using unnest(${lineArray(1)}, ${lineArray(2, 'uuid')}) as k (tenant_id, job_id)
join ${jobs} as j on j.tenant_id = k.tenant_id and j.job_id = k.job_id
where t.tenant_id = k.tenant_id
  and t.tag = any (j.tags)
  and t.job_id = k.job_id`;

const tagSql = (jobs: string, jobTags: string) => `
insert into ${jobTags} (tenant_id, tag, job_id)
select j.tenant_id, tag, j.job_id
from unnest(${lineArray(1)}, ${lineArray(2, 'uuid')}) as k (tenant_id, job_id)
join ${jobs} as j on j.tenant_id = k.tenant_id and j.job_id = k.job_id
cross join unnest(j.tags) as tag
on conflict do nothing`;
