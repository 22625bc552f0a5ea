import type { DecodedEvent } from '../commands/decoded-event.ts';
import type { JobError, JobEvent } from '../domain/job/events.ts';
import { LEASE_EXPIRED } from '../domain/job/service-errors.ts';
import { isJobEntry } from './job-change.ts';
import { lineArray, lines, oneLine } from './line-columns.ts';
import type { ProjectionTable, ProjectionWrite } from './projection.ts';
import type { AttemptRow } from './queries.ts';

/**
 * Attempts that ended in any way but completed. The one that runs or that completed stands in the job's own row, so that
 * most jobs, done at the first attempt, need no second row.
 */
export const jobAttemptsTable: ProjectionTable = {
  name: 'job_attempts',
  create: (table) => `
create table ${table} (
  tenant_id text collate "C" not null,
  job_id uuid not null,
  start_revision integer not null,
  attempt integer not null,
  started_at bigint not null,
  ended_at bigint not null,
  outcome text collate "C" not null,
  worker_id text not null,
  error text,
  primary key (tenant_id, job_id, start_revision)
)`,
  indexes: () => [],
};

interface Ending {
  readonly outcome: Exclude<AttemptRow['outcome'], 'running' | 'completed'>;
  readonly endedAt: number;
  readonly error?: JobError | undefined;
}

interface Started {
  readonly tenantId: string;
  readonly jobId: string;
  readonly startRevision: number;
  readonly attempt: number;
  readonly workerId: string;
  readonly startedAt: number;
}

/** The end of an attempt that started before the batch: the one that the job's row says is running. */
interface LateEnding extends Ending {
  readonly tenantId: string;
  readonly jobId: string;
  readonly revision: number;
}

/** Must come before the jobs' rows change: they still hold the attempts that this batch ends. */
export async function recordAttempts(events: readonly DecodedEvent[], write: ProjectionWrite): Promise<void> {
  if (!events.some(({ event }) => ENDING.has(event.type))) return;
  const { ended, lateEndings } = foldAttempts(events);
  if (ended.length > 0) await insertEnded(ended, write);
  if (lateEndings.length > 0) await insertLate(lateEndings, write);
}

const ENDING = new Set(['JobFailed', 'LeaseExpired', 'JobReleased', 'JobCancelled', 'JobDeadLettered']);

interface Folded {
  readonly ended: readonly (Started & Ending)[];
  readonly lateEndings: readonly LateEnding[];
}

function foldAttempts(events: readonly DecodedEvent[]): Folded {
  const ended: (Started & Ending)[] = [];
  const lateEndings: LateEnding[] = [];
  /** The job's attempt that runs; null: none does. Absent: this batch does not know. */
  const running = new Map<string, Started | null>();
  for (const entry of events) {
    if (!isJobEntry(entry)) continue;
    const { stream, tenantId, jobId, revision, event } = entry;
    const at = entry.metadata.occurredAt;
    if (event.type === 'JobStarted') {
      const { attempt, workerId } = event.data;
      running.set(stream, { tenantId, jobId, startRevision: revision, attempt, workerId, startedAt: at });
    } else if (event.type === 'JobEnqueued' || event.type === 'JobCompleted') {
      running.set(stream, null);
    } else {
      const ending = endOf(event, at);
      if (ending === undefined) continue;
      const started = running.get(stream);
      if (started) ended.push({ ...started, ...ending });
      else if (started === undefined) lateEndings.push({ tenantId, jobId, revision, ...ending });
      running.set(stream, null);
    }
  }
  return { ended, lateEndings };
}

/** How the event ends the attempt that runs, if one does. */
function endOf(event: JobEvent, endedAt: number): Ending | undefined {
  switch (event.type) {
    case 'JobFailed':
      return { outcome: 'failed', endedAt, error: event.data.error };
    case 'LeaseExpired':
      return { outcome: 'lease_expired', endedAt, error: LEASE_EXPIRED };
    case 'JobReleased':
      return { outcome: 'released', endedAt };
    case 'JobCancelled':
      return { outcome: 'cancelled', endedAt };
    case 'JobDeadLettered':
      return { outcome: 'dead_lettered', endedAt, error: event.data.error };
    default:
      return undefined;
  }
}

async function insertEnded(
  ended: readonly (Started & Ending)[],
  { client, table }: ProjectionWrite,
): Promise<void> {
  const attempts = table('job_attempts');
  await client.query({
    name: `insert ${attempts}`,
    text: insertSql(attempts),
    values: [
      lines(ended, ({ tenantId }) => tenantId),
      lines(ended, ({ jobId }) => jobId),
      lines(ended, ({ startRevision }) => startRevision),
      lines(ended, ({ attempt }) => attempt),
      lines(ended, ({ startedAt }) => startedAt),
      lines(ended, ({ endedAt }) => endedAt),
      lines(ended, ({ outcome }) => outcome),
      lines(ended, ({ workerId }) => oneLine(workerId)),
      lines(ended, errorOf),
    ],
  });
}

async function insertLate(endings: readonly LateEnding[], { client, table }: ProjectionWrite): Promise<void> {
  const attempts = table('job_attempts');
  await client.query({
    name: `insert late ${attempts}`,
    text: insertLateSql(attempts, table('jobs')),
    values: [
      lines(endings, ({ tenantId }) => tenantId),
      lines(endings, ({ jobId }) => jobId),
      lines(endings, ({ revision }) => revision),
      lines(endings, ({ endedAt }) => endedAt),
      lines(endings, ({ outcome }) => outcome),
      lines(endings, errorOf),
    ],
  });
}

/** Text, not jsonb: nothing looks inside, and not every text that a worker may send is valid there. */
const errorOf = ({ error }: Ending) => error && JSON.stringify(error);

const insertSql = (attempts: string) => `
insert into ${attempts} (
  tenant_id, job_id, start_revision, attempt, started_at, ended_at, outcome, worker_id, error
)
select *
from unnest(
  ${lineArray(1)}, ${lineArray(2, 'uuid')}, ${lineArray(3, 'integer')}, ${lineArray(4, 'integer')},
  ${lineArray(5, 'bigint')}, ${lineArray(6, 'bigint')}, ${lineArray(7)}, ${lineArray(8)}, ${lineArray(9)}
)
on conflict (tenant_id, job_id, start_revision) do nothing`;

const insertLateSql = (attempts: string, jobs: string) => `
insert into ${attempts} (
  tenant_id, job_id, start_revision, attempt, started_at, ended_at, outcome, worker_id, error
)
select
  j.tenant_id, j.job_id, j.start_revision, j.attempt, j.started_at, e.ended_at, e.outcome, j.worker_id, e.error
from unnest(
  ${lineArray(1)}, ${lineArray(2, 'uuid')}, ${lineArray(3, 'integer')}, ${lineArray(4, 'bigint')}, ${lineArray(5)},
  ${lineArray(6)}
) as e (tenant_id, job_id, revision, ended_at, outcome, error)
join ${jobs} as j on j.tenant_id = e.tenant_id and j.job_id = e.job_id
where j.status = 'running'
  and j.revision < e.revision
on conflict (tenant_id, job_id, start_revision) do nothing`;
