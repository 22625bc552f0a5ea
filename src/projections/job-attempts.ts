import type { DecodedEvent } from '../commands/decoded-event.ts';
import type { JobError, JobEvent } from '../domain/job/events.ts';
import { LEASE_EXPIRED } from '../domain/job/service-errors.ts';
import { JOB_STREAM_PREFIX } from '../domain/job/stream.ts';
import { isJobEntry } from './job-change.ts';
import { lineArray, lines, oneLine } from './line-columns.ts';
import type { Projection, ProjectionTable } from './projection.ts';
import type { AttemptRow } from './queries.ts';

interface Ending {
  readonly outcome: Exclude<AttemptRow['outcome'], 'running'>;
  readonly endedAt: number;
  readonly error?: JobError | undefined;
}

interface Attempt {
  readonly tenantId: string;
  readonly jobId: string;
  readonly startRevision: number;
  readonly attempt: number;
  readonly workerId: string;
  readonly startedAt: number;
  ending?: Ending;
}

/** The end of an attempt that started before the batch: the one of the job that is still open. */
interface LateEnding extends Ending {
  readonly tenantId: string;
  readonly jobId: string;
  readonly revision: number;
}

const attemptsTable: ProjectionTable = {
  name: 'job_attempts',
  // Room on each page for the end of its attempts: without an index on what changes, they stay where they are.
  create: (table) => `
create table ${table} (
  tenant_id text collate "C" not null,
  job_id uuid not null,
  start_revision integer not null,
  attempt integer not null,
  started_at bigint not null,
  ended_at bigint,
  outcome text collate "C" not null,
  worker_id text not null,
  error text,
  primary key (tenant_id, job_id, start_revision),
  check ((outcome = 'running') = (ended_at is null))
) with (fillfactor = 80)`,
  indexes: () => [],
};

/** A row for each JobStarted; told apart by its revision, since an attempt that is given back keeps its number. */
export const jobAttemptsProjection: Projection = {
  name: 'job-attempts',
  version: 1,
  prefixes: [JOB_STREAM_PREFIX],
  needsContent: false,
  unlogged: false,
  tables: [attemptsTable],
  async apply(events, { client, table }) {
    const { attempts, lateEndings } = foldAttempts(events);
    const physical = table('job_attempts');
    if (lateEndings.length > 0) {
      await client.query({
        name: `end ${physical}`,
        text: endSql(physical),
        values: [
          lines(lateEndings, ({ tenantId }) => tenantId),
          lines(lateEndings, ({ jobId }) => jobId),
          lines(lateEndings, ({ revision }) => revision),
          lines(lateEndings, ({ outcome }) => outcome),
          lines(lateEndings, ({ endedAt }) => endedAt),
          lines(lateEndings, ({ error }) => error && JSON.stringify(error)),
        ],
      });
    }
    if (attempts.length > 0) {
      await client.query({
        name: `insert ${physical}`,
        text: insertSql(physical),
        values: [
          lines(attempts, ({ tenantId }) => tenantId),
          lines(attempts, ({ jobId }) => jobId),
          lines(attempts, ({ startRevision }) => startRevision),
          lines(attempts, ({ attempt }) => attempt),
          lines(attempts, ({ startedAt }) => startedAt),
          lines(attempts, ({ ending }) => ending?.endedAt),
          lines(attempts, ({ ending }) => ending?.outcome ?? 'running'),
          lines(attempts, ({ workerId }) => oneLine(workerId)),
          lines(attempts, ({ ending }) => ending?.error && JSON.stringify(ending.error)),
        ],
      });
    }
  },
};

interface Folded {
  readonly attempts: readonly Attempt[];
  readonly lateEndings: readonly LateEnding[];
}

function foldAttempts(events: readonly DecodedEvent[]): Folded {
  const attempts: Attempt[] = [];
  const lateEndings: LateEnding[] = [];
  /** The job's attempt that may be open; null: none is. Absent: none that this batch knows of. */
  const open = new Map<string, Attempt | null>();
  for (const entry of events) {
    if (!isJobEntry(entry)) continue;
    const { stream, tenantId, jobId, revision, event } = entry;
    const at = entry.metadata.occurredAt;
    if (event.type === 'JobEnqueued') open.set(stream, null);
    if (event.type === 'JobStarted') {
      const { attempt, workerId } = event.data;
      const started: Attempt = { tenantId, jobId, startRevision: revision, attempt, workerId, startedAt: at };
      attempts.push(started);
      open.set(stream, started);
      continue;
    }
    const ending = endOf(event, at);
    if (ending === undefined) continue;
    const running = open.get(stream);
    if (running) running.ending = ending;
    else if (running === undefined) lateEndings.push({ tenantId, jobId, revision, ...ending });
    open.set(stream, null);
  }
  return { attempts, lateEndings };
}

/** How the event ends the attempt that runs, if one does. */
function endOf(event: JobEvent, endedAt: number): Ending | undefined {
  switch (event.type) {
    case 'JobCompleted':
      return { outcome: 'completed', endedAt };
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

const insertSql = (table: string) => `
insert into ${table} as t (
  tenant_id, job_id, start_revision, attempt, started_at, ended_at, outcome, worker_id, error
)
select *
from unnest(
  ${lineArray(1)}, ${lineArray(2, 'uuid')}, ${lineArray(3, 'integer')}, ${lineArray(4, 'integer')},
  ${lineArray(5, 'bigint')}, ${lineArray(6, 'bigint')}, ${lineArray(7)}, ${lineArray(8)}, ${lineArray(9)}
)
on conflict (tenant_id, job_id, start_revision) do update
set ended_at = excluded.ended_at, outcome = excluded.outcome, error = excluded.error
where t.outcome = 'running'
  and excluded.outcome <> 'running'`;

const endSql = (table: string) => `
update ${table} as t
set ended_at = e.ended_at, outcome = e.outcome, error = e.error
from unnest(
  ${lineArray(1)}, ${lineArray(2, 'uuid')}, ${lineArray(3, 'integer')}, ${lineArray(4)}, ${lineArray(5, 'bigint')},
  ${lineArray(6)}
) as e (tenant_id, job_id, revision, outcome, ended_at, error)
where t.tenant_id = e.tenant_id
  and t.job_id = e.job_id
  and t.start_revision < e.revision
  and t.outcome = 'running'`;
