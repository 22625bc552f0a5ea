import type { PoolClient } from 'pg';
import type { JobChange } from './job-change.ts';
import { lineArray, lines, oneLine, textArray, texts, withoutNul } from './line-columns.ts';
import type { ProjectionWrite } from './projection.ts';
import type { JobMoves } from './queue-counts.ts';

/** Below this the two statements more cost as much as they save. */
const WORTH_A_SAVEPOINT = 200;
const UNIQUE_VIOLATION = '23505';

/** Adds the jobs that first appear in this batch; those that are there already are left alone and not answered. */
export async function insertJobs(
  changes: readonly JobChange[],
  { client, table }: ProjectionWrite,
): Promise<{ readonly inserted: number; readonly moves: readonly JobMoves[] }> {
  const jobs = table('jobs');
  const values = insertValues(changes);
  const insert = async (name: string, text: string) =>
    (await client.query<JobMoves>({ name: `${name} ${jobs}`, text, values })).rows;
  const rows =
    (changes.length >= WORTH_A_SAVEPOINT
      ? await unlessPresent(client, () => insert('add', insertSql(jobs, '')))
      : undefined) ?? (await insert('insert', insertSql(jobs, 'on conflict (tenant_id, job_id) do nothing')));
  return { inserted: rows.reduce((sum, row) => sum + row.jobs, 0), moves: rows };
}

/**
 * Batches only come again when a commit failed in a way that its rows are there, so in nearly all none is: then `on
 * conflict` would cost 2.7 µs more for each row than 3.9. Answers undefined, and nothing has happened, when one is.
 */
async function unlessPresent<Rows>(
  client: PoolClient,
  insert: () => Promise<Rows>,
): Promise<Rows | undefined> {
  await client.query('savepoint inserting');
  try {
    const rows = await insert();
    await client.query('release savepoint inserting');
    return rows;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === UNIQUE_VIOLATION)) throw error;
    await client.query('rollback to savepoint inserting');
    return undefined;
  }
}

const insertValues = (changes: readonly JobChange[]) => [
  lines(changes, (change) => change.tenantId),
  lines(changes, (change) => change.jobId),
  lines(changes, (change) => change.revision),
  lines(changes, (change) => change.type),
  lines(changes, (change) => change.queue),
  lines(changes, (change) => change.priority),
  lines(changes, (change) => change.status),
  lines(changes, (change) => change.attempt),
  lines(changes, (change) => change.spentAttempts),
  lines(changes, (change) => change.maxAttempts),
  texts(changes, ({ tags }) => (tags && tags.length > 0 ? textArray(tags) : undefined)),
  texts(changes, ({ dedupeKey }) => (dedupeKey === undefined ? undefined : withoutNul(dedupeKey))),
  lines(changes, workerOf),
  lines(changes, (change) => change.enqueuedAt),
  lines(changes, (change) => change.runAt),
  lines(changes, (change) => change.startedAt),
  lines(changes, (change) => change.finishedAt),
  lines(changes, (change) => change.updatedAt),
  lines(changes, errorOf),
  lines(changes, fingerprintOf),
  lines(changes, (change) => change.startRevision),
];

/** Lays changes over rows that are behind them. Nobody else writes these tables, so a row stays where it was found. */
export async function updateJobs(
  changes: readonly JobChange[],
  { client, table }: ProjectionWrite,
): Promise<readonly JobMoves[]> {
  const jobs = table('jobs');
  const { rows } = await client.query<JobMoves>({
    name: `update ${jobs}`,
    text: updateSql(jobs),
    values: [
      lines(changes, (change) => change.tenantId),
      lines(changes, (change) => change.jobId),
      lines(changes, (change) => change.revision),
      lines(changes, (change) => change.queue),
      lines(changes, (change) => change.priority),
      lines(changes, (change) => change.status),
      lines(changes, (change) => change.attempt),
      lines(changes, (change) => change.spentAttempts),
      texts(changes, ({ tags }) => tags && textArray(tags)),
      lines(changes, workerOf),
      lines(changes, (change) => change.runAt),
      lines(changes, (change) => change.startedAt),
      lines(changes, (change) => change.finishedAt),
      lines(changes, (change) => change.updatedAt),
      lines(changes, errorOf),
      lines(changes, fingerprintOf),
      lines(changes, (change) => change.startRevision),
    ],
  });
  return rows;
}

const workerOf = ({ workerId }: JobChange) => (workerId === undefined ? undefined : oneLine(workerId));

/** Text, not jsonb: nothing looks inside, and not every text that a worker may send is valid there. */
const errorOf = ({ lastError }: JobChange) =>
  lastError && JSON.stringify({ type: lastError.type, message: lastError.message });

const fingerprintOf = ({ lastError }: JobChange) => lastError && oneLine(lastError.fingerprint);

const insertSql = (jobs: string, otherwise: string) => `
with inserted as (
  insert into ${jobs} (
    tenant_id, job_id, revision, type, queue, priority, status, attempt, spent_attempts, max_attempts, tags,
    dedupe_key, worker_id, enqueued_at, run_at, started_at, finished_at, updated_at, last_error, error_fingerprint,
    start_revision
  )
  select
    tenant_id, job_id, revision, type, queue, priority, status, attempt, spent_attempts, max_attempts, tags::text[],
    dedupe_key, worker_id, enqueued_at, run_at, started_at, finished_at, updated_at, last_error, error_fingerprint,
    start_revision
  from unnest(
    ${lineArray(1)}, ${lineArray(2, 'uuid')}, ${lineArray(3, 'integer')}, ${lineArray(4)}, ${lineArray(5)},
    ${lineArray(6, 'smallint')}, ${lineArray(7)}, ${lineArray(8, 'integer')}, ${lineArray(9, 'integer')},
    ${lineArray(10, 'integer')}, $11::text[], $12::text[], ${lineArray(13)}, ${lineArray(14, 'bigint')},
    ${lineArray(15, 'bigint')}, ${lineArray(16, 'bigint')}, ${lineArray(17, 'bigint')}, ${lineArray(18, 'bigint')},
    ${lineArray(19)}, ${lineArray(20)}, ${lineArray(21, 'integer')}
  ) as n (
    tenant_id, job_id, revision, type, queue, priority, status, attempt, spent_attempts, max_attempts, tags,
    dedupe_key, worker_id, enqueued_at, run_at, started_at, finished_at, updated_at, last_error, error_fingerprint,
    start_revision
  )
  ${otherwise}
  returning tenant_id, queue, status
)
select tenant_id, queue, status, null as old_queue, null as old_status, count(*)::integer as jobs
from inserted
group by tenant_id, queue, status`;

const updateSql = (jobs: string) => `
with changed as (
  select c.*, j.place, j.old_queue, j.old_status
  from unnest(
    ${lineArray(1)}, ${lineArray(2, 'uuid')}, ${lineArray(3, 'integer')}, ${lineArray(4)},
    ${lineArray(5, 'smallint')}, ${lineArray(6)}, ${lineArray(7, 'integer')}, ${lineArray(8, 'integer')},
    $9::text[], ${lineArray(10)}, ${lineArray(11, 'bigint')}, ${lineArray(12, 'bigint')},
    ${lineArray(13, 'bigint')}, ${lineArray(14, 'bigint')}, ${lineArray(15)}, ${lineArray(16)},
    ${lineArray(17, 'integer')}
  ) as c (
    tenant_id, job_id, revision, queue, priority, status, attempt, spent_attempts, tags, worker_id, run_at,
    started_at, finished_at, updated_at, last_error, error_fingerprint,
    start_revision
  )
  cross join lateral (
    select ctid as place, queue as old_queue, status as old_status
    from ${jobs}
    where tenant_id = c.tenant_id
      and job_id = c.job_id
      and revision < c.revision
    -- Keeps the planner from joining the other way round: one look at the index for each change.
    offset 0
  ) as j
), updated as (
  update ${jobs} as j
  set
    revision = c.revision,
    queue = coalesce(c.queue, j.queue),
    priority = coalesce(c.priority, j.priority),
    status = case
      when c.status is null then j.status
      when c.status <> 'moved' then c.status
      when j.status = 'retrying' then 'retrying'
      else 'scheduled'
    end,
    attempt = coalesce(c.attempt, j.attempt),
    spent_attempts = coalesce(c.spent_attempts, j.spent_attempts),
    tags = nullif(coalesce(c.tags::text[], j.tags), '{}'),
    worker_id = coalesce(c.worker_id, j.worker_id),
    run_at = coalesce(c.run_at, j.run_at),
    started_at = coalesce(c.started_at, j.started_at),
    start_revision = coalesce(c.start_revision, j.start_revision),
    finished_at = case when c.status is null then j.finished_at else c.finished_at end,
    updated_at = c.updated_at,
    last_error = coalesce(c.last_error, j.last_error),
    error_fingerprint = case when c.last_error is null then j.error_fingerprint else c.error_fingerprint end
  from changed as c
  where j.ctid = c.place
  returning j.tenant_id, j.queue, j.status, c.old_queue, c.old_status
)
select tenant_id, queue, status, old_queue, old_status, count(*)::integer as jobs
from updated
group by tenant_id, queue, status, old_queue, old_status`;
