import type pg from 'pg';
import type { Republication, RepublicationStore } from '../kafka/republication.ts';

export const createRepublicationStore = (pool: pg.Pool): RepublicationStore => ({
  async create(id, by, order) {
    const { rows } = await pool.query<StoredRepublication>(CREATE, [
      id,
      `${order.after}`,
      `${order.to}`,
      dateOf(order.fromTime),
      dateOf(order.toTime),
      order.tenantId ?? null,
      order.topicSuffix,
      order.dryRun,
      by.id,
      by.auth,
    ]);
    const [created] = rows;
    if (!created) throw new Error('the republication was not stored');
    return fromRow(created);
  },

  async get(id) {
    const { rows } = await pool.query<StoredRepublication>(GET, [id]);
    return rows[0] && fromRow(rows[0]);
  },

  async list() {
    const { rows } = await pool.query<StoredRepublication>(LIST);
    return rows.map(fromRow);
  },

  async abort(id) {
    await pool.query(ABORT, [id]);
  },

  async take(worker) {
    const { rows } = await pool.query<StoredRepublication>(TAKE, [worker]);
    return rows[0] && fromRow(rows[0]);
  },

  async save(id, worker, { position, found, refused, eventsPerSecond }) {
    const values = [id, worker, `${position}`, found, refused, eventsPerSecond];
    const { rowCount } = await pool.query(SAVE, values);
    return rowCount === 1;
  },

  async prolong(id, worker) {
    const { rowCount } = await pool.query(PROLONG, [id, worker]);
    return rowCount === 1;
  },

  async release(id, worker) {
    await pool.query(RELEASE, [id, worker]);
  },

  async finish(id, worker, error) {
    await pool.query(FINISH, [id, worker, error === undefined ? 'done' : 'failed', error ?? null]);
  },
});

interface StoredRepublication {
  readonly republication_id: string;
  readonly after_position: string;
  readonly to_position: string;
  readonly from_time: Date | null;
  readonly to_time: Date | null;
  readonly tenant_id: string | null;
  readonly topic_suffix: string;
  readonly dry_run: boolean;
  readonly requested_by: string;
  readonly requested_auth: Republication['auth'];
  readonly status: Republication['status'];
  readonly position: string;
  readonly found: string;
  readonly refused: string;
  readonly events_per_second: number;
  readonly error: string | null;
  readonly started_at: Date;
  readonly finished_at: Date | null;
}

const fromRow = (row: StoredRepublication): Republication => ({
  id: row.republication_id,
  after: BigInt(row.after_position),
  to: BigInt(row.to_position),
  fromTime: row.from_time?.getTime(),
  toTime: row.to_time?.getTime(),
  tenantId: row.tenant_id ?? undefined,
  topicSuffix: row.topic_suffix,
  dryRun: row.dry_run,
  by: row.requested_by,
  auth: row.requested_auth,
  status: row.status,
  position: BigInt(row.position),
  found: Number(row.found),
  refused: Number(row.refused),
  eventsPerSecond: row.events_per_second,
  error: row.error,
  startedAt: row.started_at.getTime(),
  finishedAt: row.finished_at?.getTime() ?? null,
});

const dateOf = (time: number | undefined): Date | null => (time === undefined ? null : new Date(time));

const COLUMNS = `
  republication_id, after_position, to_position, from_time, to_time, tenant_id, topic_suffix, dry_run, requested_by,
  requested_auth, status, position, found, refused, events_per_second, error, started_at, finished_at`;

const CREATE = `
insert into republications (
  republication_id, after_position, to_position, from_time, to_time, tenant_id, topic_suffix, dry_run, requested_by,
  requested_auth, position
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $2)
returning ${COLUMNS}`;

const GET = `
select ${COLUMNS}
from republications
where republication_id = $1`;

const LIST = `
select ${COLUMNS}
from republications
order by republication_id desc
limit 20`;

const ABORT = `
update republications
set status = 'aborted', finished_at = clock_timestamp()
where republication_id = $1
  and status = 'running'`;

const TAKE = `
update republications
set worker = $1, leased_until = clock_timestamp() + interval '30 seconds'
where republication_id = (
  select republication_id
  from republications
  where status = 'running'
    and leased_until < clock_timestamp()
  order by republication_id
  limit 1
  for update skip locked
)
returning ${COLUMNS}`;

const SAVE = `
update republications
set
  position = $3,
  found = $4,
  refused = $5,
  events_per_second = $6,
  leased_until = clock_timestamp() + interval '30 seconds'
where republication_id = $1
  and worker = $2
  and status = 'running'`;

const PROLONG = `
update republications
set leased_until = clock_timestamp() + interval '30 seconds'
where republication_id = $1
  and worker = $2
  and status = 'running'`;

const RELEASE = `
update republications
set worker = null, leased_until = '-infinity'
where republication_id = $1
  and worker = $2
  and status = 'running'`;

const FINISH = `
update republications
set status = $3, error = $4, finished_at = clock_timestamp()
where republication_id = $1
  and worker = $2
  and status = 'running'`;
