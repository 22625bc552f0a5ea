import { z } from 'zod';
import type {
  DeadLetterFilter,
  DeadLetterGroup,
  DeadLetterRow,
  Page,
  PageRequest,
} from '../../../projections/queries.ts';
import { pageCursors, pageLimit } from './page-cursor.ts';
import { Parameters, type QueryContext, read } from './read.ts';

const cursors = pageCursors('dead-letters', z.tuple([z.int(), z.uuid()]));

interface StoredDeadLetter {
  readonly tenant_id: string;
  readonly job_id: string;
  readonly revision: number;
  readonly type: string;
  readonly queue: string;
  readonly reason: string;
  readonly attempts: number;
  readonly fingerprint: string;
  readonly error: string;
  readonly dead_lettered_at: string;
  readonly enqueued_at: string | null;
}

/** Latest first. */
export async function listDeadLetters(
  { pool }: QueryContext,
  tenantId: string,
  filter: DeadLetterFilter,
  request: PageRequest,
): Promise<Page<DeadLetterRow>> {
  const from = cursors.read(request.cursor ?? undefined);
  const limit = pageLimit(request);
  const parameters = new Parameters();
  const where = [`d.tenant_id = ${parameters.add(tenantId)}`, ...conditions(filter, 'd', parameters)];
  if (from) {
    const [at, jobId] = from.key;
    const compare = from.towards === 'older' ? '<' : '>';
    where.push(`(d.dead_lettered_at, d.job_id) ${compare} (${parameters.add(at)}, ${parameters.add(jobId)})`);
  }
  const order = from?.towards === 'newer' ? 'asc' : 'desc';
  const rows = await read<StoredDeadLetter>(
    pool,
    `${SELECT}
where ${where.join('\n  and ')}
order by d.dead_lettered_at ${order}, d.job_id ${order}
limit ${parameters.add(limit + 1)}`,
    parameters.values,
  );
  return cursors.page(rows.map(toDeadLetterRow), from, limit, ({ deadLetteredAt, jobId }) => [
    deadLetteredAt,
    jobId,
  ]);
}

export async function getDeadLetter(
  { pool }: QueryContext,
  tenantId: string,
  jobId: string,
): Promise<DeadLetterRow | undefined> {
  const [row] = await read<StoredDeadLetter>(pool, `${SELECT}\nwhere d.tenant_id = $1\n  and d.job_id = $2`, [
    tenantId,
    jobId,
  ]);
  return row && toDeadLetterRow(row);
}

interface StoredGroup {
  readonly fingerprint: string;
  readonly type: string;
  readonly jobs: string;
  readonly first_at: string;
  readonly last_at: string;
  readonly error: string;
}

/** Largest first. The counts are kept; of each group only the first and the last row are looked at. */
export async function groupDeadLetters(
  { pool }: QueryContext,
  tenantId: string,
  filter: DeadLetterFilter,
  limit: number,
): Promise<readonly DeadLetterGroup[]> {
  const parameters = new Parameters();
  const where = [`g.tenant_id = ${parameters.add(tenantId)}`, ...conditions(filter, 'g', parameters)];
  const rows = await read<StoredGroup>(
    pool,
    groupSql(where, parameters.add(pageLimit({ limit }))),
    parameters.values,
  );
  return rows.map((row) => {
    const { type, message } = JSON.parse(row.error) as { type: string; message: string };
    return {
      fingerprint: row.fingerprint,
      errorType: type,
      message,
      jobType: row.type,
      count: Number(row.jobs),
      firstAt: Number(row.first_at),
      lastAt: Number(row.last_at),
    };
  });
}

function conditions(filter: DeadLetterFilter, alias: string, parameters: Parameters): readonly string[] {
  const { type, queue, fingerprint } = filter;
  return Object.entries({ type, queue, fingerprint }).flatMap(([column, value]) =>
    value === undefined ? [] : [`${alias}.${column} = ${parameters.add(value)}`],
  );
}

function toDeadLetterRow(row: StoredDeadLetter): DeadLetterRow {
  const { type, message } = JSON.parse(row.error) as { type: string; message: string };
  return {
    tenantId: row.tenant_id,
    jobId: row.job_id,
    revision: row.revision,
    type: row.type,
    queue: row.queue,
    reason: row.reason,
    attempts: row.attempts,
    error: { type, message, fingerprint: row.fingerprint },
    enqueuedAt: row.enqueued_at === null ? timeInId(row.job_id) : Number(row.enqueued_at),
    deadLetteredAt: Number(row.dead_lettered_at),
  };
}

/** The event that makes a dead letter does not say when the job was enqueued; while its row is not there, its id does. */
const timeInId = (jobId: string): number => Number.parseInt(jobId.replace('-', '').slice(0, 12), 16);

const SELECT = `
select
  d.tenant_id, d.job_id, d.revision, d.type, d.queue, d.reason, d.attempts, d.fingerprint, d.error, d.dead_lettered_at,
  (select j.enqueued_at from jobs as j where j.tenant_id = d.tenant_id and j.job_id = d.job_id) as enqueued_at
from dead_letters as d`;

const groupSql = (where: readonly string[], limit: string) => `
select g.fingerprint, g.type, g.jobs, min(f.first_at) as first_at, max(l.last_at) as last_at,
  (array_agg(l.error order by l.last_at desc))[1] as error
from (
  select tenant_id, fingerprint, type, sum(jobs) as jobs, array_agg(queue) as queues
  from dead_letter_groups as g
  where ${where.join('\n    and ')}
  group by tenant_id, fingerprint, type
  order by sum(jobs) desc, fingerprint, type
  limit ${limit}
) as g
cross join unnest(g.queues) as q (queue)
cross join lateral (
  select d.dead_lettered_at as first_at
  from dead_letters as d
  where d.tenant_id = g.tenant_id and d.fingerprint = g.fingerprint and d.type = g.type and d.queue = q.queue
  order by d.dead_lettered_at, d.job_id
  limit 1
) as f
cross join lateral (
  select d.dead_lettered_at as last_at, d.error
  from dead_letters as d
  where d.tenant_id = g.tenant_id and d.fingerprint = g.fingerprint and d.type = g.type and d.queue = q.queue
  order by d.dead_lettered_at desc, d.job_id desc
  limit 1
) as l
group by g.fingerprint, g.type, g.jobs
order by g.jobs desc, g.fingerprint, g.type`;
