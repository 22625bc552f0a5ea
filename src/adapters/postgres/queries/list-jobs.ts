import { z } from 'zod';
import type { JobStatus } from '../../../domain/job/state.ts';
import type { JobFilter, JobRow, Page, PageRequest } from '../../../projections/queries.ts';
import { JOB_COLUMNS, type StoredJobRow, toJobRow } from './job-row.ts';
import { type Keyset, pageCursors, pageLimit } from './page-cursor.ts';
import { Parameters, type QueryContext, read } from './read.ts';

const cursors = pageCursors('jobs', z.uuid());

/** Below this many due jobs they are fetched by their time; above, they are so many that any walk meets them soon. */
const FEW_DUE = 2_000;

/**
 * How far the time in a job's id may be from when it was enqueued, by an enqueue that is repeated or commits later. Jobs
 * of this time are passed over one by one when a list starts at a time.
 */
const ID_SLACK_MS = 3_600_000;

/**
 * Newest first: ids are UUIDv7, so the primary key has them in order of time. Never looks at much more than a page: a
 * filter by queue, type or status walks each matching place of the index (queue, type, status, id) and merges.
 */
export async function listJobs(
  { pool, clock }: QueryContext,
  tenantId: string,
  filter: JobFilter,
  request: PageRequest,
): Promise<Page<JobRow>> {
  const from = cursors.read(request.cursor ?? undefined);
  const limit = pageLimit(request);
  const now = clock.now();
  if (filter.status?.length === 0) return { rows: [], nextCursor: null, prevCursor: null };
  const fewDue = wantsDue(filter) && (await countDue(pool, tenantId, now)) < FEW_DUE;
  const { text, values } = listSql({ tenantId, filter, from, limit: limit + 1, now, fewDue });
  const found = await read<StoredJobRow>(pool, text, values);
  return cursors.page(
    found.map((row) => toJobRow(row, now)),
    from,
    limit,
    ({ jobId }) => jobId,
  );
}

/** Jobs whose time has come count as queued though their rows still say scheduled or retrying. */
const wantsDue = ({ status, tag, error }: JobFilter) =>
  status?.includes('queued') === true && tag === undefined && error === undefined;

async function countDue(pool: QueryContext['pool'], tenantId: string, now: number): Promise<number> {
  const [row] = await read<{ due: string }>(pool, COUNT_DUE, [tenantId, now, FEW_DUE]);
  return Number(row?.due ?? 0);
}

const COUNT_DUE = `
select count(*) as due
from (
  select
  from jobs
  where tenant_id = $1
    and status in ('scheduled', 'retrying')
    and run_at <= $2
  limit $3
) as first_due`;

interface ListPlan {
  readonly tenantId: string;
  readonly filter: JobFilter;
  readonly from: Keyset<string> | undefined;
  readonly limit: number;
  readonly now: number;
  readonly fewDue: boolean;
}

interface Query {
  readonly text: string;
  readonly values: readonly unknown[];
}

function listSql(plan: ListPlan): Query {
  const { filter } = plan;
  if (filter.tag !== undefined) return byTagSql(plan);
  const byPlace = filter.queue ?? filter.type ?? filter.status;
  if (byPlace !== undefined && filter.error === undefined) return byPlaceSql(plan);
  const parameters = new Parameters();
  const tenant = parameters.add(plan.tenantId);
  return {
    text: `
select ${JOB_COLUMNS}
from jobs as j
where j.tenant_id = ${tenant}
  and ${conditions(plan, parameters).join('\n  and ')}
${orderAndLimit(plan, parameters)}`,
    values: parameters.values,
  };
}

function byTagSql(plan: ListPlan): Query {
  const parameters = new Parameters();
  const tenant = parameters.add(plan.tenantId);
  const tag = parameters.add(plan.filter.tag);
  return {
    text: `
select j.*
from job_tags as t
join lateral (
  select ${JOB_COLUMNS}
  from jobs as j
  where j.tenant_id = ${tenant}
    and j.job_id = t.job_id
    and ${conditions({ ...plan, from: undefined }, parameters).join('\n    and ')}
) as j on true
where t.tenant_id = ${tenant}
  and t.tag = ${tag}
  and ${keysetCondition(plan, 't', parameters)}
order by t.job_id ${direction(plan)}
limit ${parameters.add(plan.limit)}`,
    values: parameters.values,
  };
}

function byPlaceSql(plan: ListPlan): Query {
  const { filter, fewDue } = plan;
  const parameters = new Parameters();
  const tenant = parameters.add(plan.tenantId);
  const limit = parameters.add(plan.limit);
  const queue = filter.queue === undefined ? '' : `and queue = ${parameters.add(filter.queue)}`;
  // Not with the columns that are fixed: the walk would start at the first entry each time and pass over the rest.
  const after =
    filter.queue === undefined
      ? '(queue, type, status) > (p.queue, p.type, p.status)'
      : '(type, status) > (p.type, p.status)';
  const where = conditions(plan, parameters);
  const places = [
    filter.type === undefined ? 'true' : `p.type = ${parameters.add(filter.type)}`,
    filter.status ? `p.status = any (${parameters.add(storedStatuses(filter.status, fewDue))})` : 'true',
  ];
  const now = fewDue ? parameters.add(plan.now) : '';
  const due = `
union all
(
  select ${JOB_COLUMNS}
  from jobs as j
  where j.tenant_id = ${tenant}
    and j.status in ('scheduled', 'retrying')
    and j.run_at <= ${now}
    and ${where.join('\n    and ')}
)`;
  // A scheduled or retrying place that is walked for its own sake must not give the due ones a second time.
  const notDue = `not (j.status in ('scheduled', 'retrying') and j.run_at <= ${now})`;
  return {
    text: `
with recursive place as (
  (
    select queue, type, status
    from jobs
    where tenant_id = ${tenant} ${queue}
    order by tenant_id, queue, type, status
    limit 1
  )
  union all
  select n.queue, n.type, n.status
  from place as p
  cross join lateral (
    select queue, type, status
    from jobs
    where tenant_id = ${tenant} ${queue}
      and ${after}
    order by tenant_id, queue, type, status
    limit 1
  ) as n
)
select *
from (
  select j.*
  from place as p
  cross join lateral (
    select ${JOB_COLUMNS}
    from jobs as j
    where j.tenant_id = ${tenant}
      and j.queue = p.queue
      and j.type = p.type
      and j.status = p.status
      and ${[...where, fewDue ? notDue : 'true'].join('\n      and ')}
    order by j.job_id ${direction(plan)}
    limit ${limit}
  ) as j
  where ${places.join(' and ')}
  ${fewDue ? due : ''}
) as j
order by j.job_id ${direction(plan)}
limit ${limit}`,
    values: parameters.values,
  };
}

/** The stored statuses in which jobs may be that show one of the given. */
function storedStatuses(shown: readonly JobStatus[], fewDue: boolean): readonly JobStatus[] {
  return shown.includes('queued') && !fewDue
    ? [...new Set([...shown, 'scheduled', 'retrying'] as const)]
    : shown;
}

function conditions(plan: ListPlan, parameters: Parameters): readonly string[] {
  const { filter, now } = plan;
  const found = [keysetCondition(plan, 'j', parameters)];
  const equal = (column: string, value: string | undefined) => {
    if (value !== undefined) found.push(`j.${column} = ${parameters.add(value)}`);
  };
  equal('type', filter.type);
  equal('queue', filter.queue);
  equal('worker_id', filter.workerId);
  equal('error_fingerprint', filter.error);
  if (filter.status) {
    found.push(`
      case
        when j.status in ('scheduled', 'retrying') and j.run_at <= ${parameters.add(now)} then 'queued'
        else j.status
      end = any (${parameters.add(filter.status)})`);
  }
  const { createdAfter, createdBefore } = filter;
  if (createdAfter !== undefined) {
    found.push(`j.enqueued_at >= ${parameters.add(Math.ceil(createdAfter))}`);
    found.push(`j.job_id >= ${parameters.add(idAt(createdAfter - ID_SLACK_MS))}`);
  }
  if (createdBefore !== undefined) {
    found.push(`j.enqueued_at < ${parameters.add(Math.ceil(createdBefore))}`);
    found.push(`j.job_id < ${parameters.add(idAt(createdBefore + ID_SLACK_MS))}`);
  }
  return found;
}

function keysetCondition({ from }: ListPlan, alias: string, parameters: Parameters): string {
  if (!from) return 'true';
  return `${alias}.job_id ${from.towards === 'older' ? '<' : '>'} ${parameters.add(from.key)}`;
}

const direction = ({ from }: ListPlan) => (from?.towards === 'newer' ? 'asc' : 'desc');

const orderAndLimit = (plan: ListPlan, parameters: Parameters) =>
  `order by j.job_id ${direction(plan)}\nlimit ${parameters.add(plan.limit)}`;

/** The lowest UUIDv7 of a time. */
function idAt(time: number): string {
  const hex = Math.min(Math.max(0, Math.trunc(time)), 2 ** 48 - 1)
    .toString(16)
    .padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}
