import type pg from 'pg';
import type {
  InboxDeadLetter,
  InboxDeadLetterFilter,
  InboxDeadLetters,
} from '../../commands/inbound/inbox-dead-letters.ts';
import type { Ids } from '../../commands/ports.ts';

export function createInboxDeadLetters(pool: pg.Pool, ids: Ids): InboxDeadLetters {
  return {
    async add(letters) {
      const { rows } = await pool.query<LetterRow>(ADD, [
        letters.map(() => ids.next()),
        letters.map(({ topic }) => topic),
        letters.map(({ partition }) => partition),
        letters.map(({ offset }) => offset),
        letters.map(({ groupId }) => groupId),
        letters.map(({ tenantId }) => tenantId),
        letters.map(({ key }) => storable(key)),
        letters.map(({ value }) => `\\x${Buffer.from(value).toString('hex')}`),
        letters.map(({ headers }) => storable(JSON.stringify(headers))),
        letters.map(({ sentAt }) => new Date(sentAt).toISOString()),
        letters.map(({ reason }) => reason),
        letters.map(({ error }) => storable(error)),
        letters.map(({ stack }) => storable(stack)),
        letters.map(({ faults }) => (faults === null ? null : storable(JSON.stringify(faults)))),
        letters.map(({ attempts }) => attempts),
      ]);
      return rows.map(toLetter);
    },
    async published(published) {
      await pool.query(PUBLISHED, [published]);
    },
    async list(scope, filter, { limit, before }) {
      const values = [...chosen(scope, filter), before ?? null, limit];
      return (await pool.query<LetterRow>(LIST, values)).rows.map(toLetter);
    },
    async listBetween(scope, filter, { limit, after, last }) {
      const values = [...chosen(scope, filter), after ?? null, last, limit];
      return (await pool.query<LetterRow>(LIST_BETWEEN, values)).rows.map(toLetter);
    },
    async get(id, scope) {
      const { rows } = await pool.query<LetterRow>(GET, [id, scope]);
      return rows[0] && toLetter(rows[0]);
    },
    async edit(id, scope, { value, by }) {
      const { rows } = await pool.query<LetterRow>(EDIT, [id, scope, Buffer.from(value), by]);
      return rows[0] && toLetter(rows[0]);
    },
    async replayed(ids, by) {
      await pool.query(REPLAYED, [ids, by]);
    },
  };
}

/** Postgres can't hold NUL in text nor in jsonb, written out or escaped. */
const storable = <Text extends string | null>(text: Text): Text =>
  (text === null
    ? null
    : text.toWellFormed().replaceAll('\0', '\ufffd').replaceAll('\\u0000', '\ufffd')) as Text;

interface LetterRow {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly group_id: string;
  readonly tenant_id: string | null;
  readonly key: string | null;
  readonly value: Buffer;
  readonly headers: Record<string, string>;
  readonly sent_at: Date;
  readonly reason: InboxDeadLetter['reason'];
  readonly error: string;
  readonly stack: string | null;
  readonly faults: InboxDeadLetter['faults'];
  readonly attempts: number;
  readonly failed_at: Date;
  readonly edited_at: Date | null;
  readonly edited_by: string | null;
  readonly status: InboxDeadLetter['status'];
  readonly replayed_at: Date | null;
  readonly replayed_by: string | null;
}

const toLetter = (row: LetterRow): InboxDeadLetter => ({
  id: row.id,
  topic: row.topic,
  partition: row.partition,
  offset: row.offset,
  groupId: row.group_id,
  tenantId: row.tenant_id,
  key: row.key,
  value: row.value,
  headers: row.headers,
  sentAt: row.sent_at.getTime(),
  reason: row.reason,
  error: row.error,
  stack: row.stack,
  faults: row.faults,
  attempts: row.attempts,
  failedAt: row.failed_at.getTime(),
  editedAt: row.edited_at?.getTime() ?? null,
  editedBy: row.edited_by,
  status: row.status,
  replayedAt: row.replayed_at?.getTime() ?? null,
  replayedBy: row.replayed_by,
});

const COLUMNS = `id, topic, partition, "offset", group_id, tenant_id, key, value, headers, sent_at, reason, error,
  stack, faults, attempts, failed_at, edited_at, edited_by, status, replayed_at, replayed_by`;

// What is there already is answered as well while it is not on its topic: the process that put it there has died.
const ADD = `
insert into inbox_dead_letters as known (
  id, topic, partition, "offset", group_id, tenant_id, key, value, headers, sent_at, reason, error, stack, faults, attempts
)
select
  id, topic, partition, "offset", group_id, tenant_id, key, value, headers, sent_at, reason, error, stack, faults, attempts
from unnest(
  $1::uuid[], $2::text[], $3::int[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::jsonb[],
  $10::timestamptz[], $11::text[], $12::text[], $13::text[], $14::jsonb[], $15::int[]
) as letter (
  id, topic, partition, "offset", group_id, tenant_id, key, value, headers, sent_at, reason, error, stack, faults, attempts
)
on conflict on constraint one_place_one_row do update
set failed_at = excluded.failed_at
where not known.published
returning ${COLUMNS}`;

const PUBLISHED = `
update inbox_dead_letters
set published = true
where id = any ($1::uuid[])`;

const CHOSEN = `($1::text is null or tenant_id = $1)
  and ($2::text is null or topic = $2)
  and ($3::text is null or status = $3)
  and ($4::text is null or reason = $4)
  and ($5::text is null or position($5 in error) > 0)
  and ($6::text is null or tenant_id = $6)`;

const chosen = (scope: string | null, filter: InboxDeadLetterFilter): (string | null)[] => {
  const { topic, status, reason, error, tenantId } = filter;
  return [scope, topic ?? null, status ?? null, reason ?? null, error ?? null, tenantId ?? null];
};

const LIST = `
select ${COLUMNS}
from inbox_dead_letters
where ${CHOSEN}
  and (
    $7::uuid is null
    or (failed_at, id) < (select failed_at, id from inbox_dead_letters where id = $7)
  )
order by failed_at desc, id desc
limit $8`;

const LIST_BETWEEN = `
select ${COLUMNS}
from inbox_dead_letters
where ${CHOSEN}
  and (
    $7::uuid is null
    or (failed_at, id) > (select failed_at, id from inbox_dead_letters where id = $7)
  )
  and (failed_at, id) <= (select failed_at, id from inbox_dead_letters where id = $8)
order by failed_at, id
limit $9`;

const GET = `
select ${COLUMNS}
from inbox_dead_letters
where id = $1 and ($2::text is null or tenant_id = $2)`;

const EDIT = `
update inbox_dead_letters
set value = $3, edited_at = clock_timestamp(), edited_by = $4
where id = $1 and ($2::text is null or tenant_id = $2) and status = 'waiting'
returning ${COLUMNS}`;

const REPLAYED = `
update inbox_dead_letters
set status = 'replayed', replayed_at = clock_timestamp(), replayed_by = $2
where id = any ($1::uuid[]) and status = 'waiting'`;
