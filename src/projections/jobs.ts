import { JOB_STREAM_PREFIX } from '../domain/job/stream.ts';
import { jobAttemptsTable, recordAttempts } from './job-attempts.ts';
import { foldJobChanges, type JobChange } from './job-change.ts';
import { jobTagsTable, tagJobs, untagJobs } from './job-tags.ts';
import type { Projection, ProjectionTable } from './projection.ts';
import { countMoves, queueCountsTable } from './queue-counts.ts';
import { insertJobs, updateJobs } from './write-jobs.ts';

/**
 * Ids are UUIDv7, so the primary key is the list of a tenant's jobs by time. The status changes at every step of a job and
 * an index on it makes every update touch every index: with the key alone a row costs Postgres about 10 µs to insert and
 * 12 to update in place, with these indexes 12 and 21 (bench/projections.ts, 50,000 jobs in batches of 500). Therefore one
 * index serves queue, type and status alike, by walking its places (see listJobs), and the others hold only the few rows
 * that their condition lets in. Pages of any of these filters take tens of milliseconds at most with a million jobs.
 * Filters without an index (worker, tag and status together) walk their list from the newest job on.
 */
const jobsTable: ProjectionTable = {
  name: 'jobs',
  create: (table) => `
create table ${table} (
  tenant_id text collate "C" not null,
  job_id uuid not null,
  revision integer not null,
  type text collate "C" not null,
  queue text collate "C" not null,
  priority smallint not null,
  status text collate "C" not null,
  attempt integer not null,
  spent_attempts integer not null,
  max_attempts integer not null,
  enqueued_at bigint not null,
  run_at bigint not null,
  updated_at bigint not null,
  started_at bigint,
  start_revision integer,
  finished_at bigint,
  worker_id text,
  dedupe_key text,
  tags text[],
  last_error text,
  error_fingerprint text collate "C",
  primary key (tenant_id, job_id)
)`,
  indexes: (table) => [
    `create index ${table}_place on ${table} (tenant_id, queue, type, status, job_id)`,
    `create index ${table}_due on ${table} (tenant_id, run_at) where status in ('scheduled', 'retrying')`,
    `create index ${table}_error on ${table} (tenant_id, error_fingerprint, job_id) where error_fingerprint is not null`,
  ],
};

/**
 * A row for each job, its earlier attempts, its tags, and how many jobs there are of each kind: in one projection, because
 * each takes from the others what the events alone do not say. Holds no payload: GET of one job reads its stream.
 */
export const jobsProjection: Projection = {
  name: 'jobs',
  version: 1,
  prefixes: [JOB_STREAM_PREFIX],
  needsContent: false,
  unlogged: false,
  tables: [jobsTable, jobAttemptsTable, jobTagsTable, queueCountsTable],
  async apply(events, write) {
    const changes = foldJobChanges(events);
    const arrivals = changes.filter(({ isNew }) => isNew);
    const later = changes.filter(({ isNew }) => !isNew);
    await recordAttempts(events, write);
    await untagJobs(later.filter(hasTags), write);
    const added = arrivals.length > 0 ? await insertJobs(arrivals, write) : NOTHING_ADDED;
    // A batch that comes again may know more of a job than its row: new jobs that were there already are changed ones.
    const changed = added.inserted < arrivals.length ? [...arrivals, ...later] : later;
    const moves = changed.length > 0 ? await updateJobs(changed, write) : [];
    await tagJobs(changes.filter(hasTags), write);
    await countMoves([...added.moves, ...moves], write);
  },
};

const NOTHING_ADDED = { inserted: 0, moves: [] };

const hasTags = ({ isNew, tags }: JobChange) => tags !== undefined && (!isNew || tags.length > 0);
