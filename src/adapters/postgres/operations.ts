import type pg from 'pg';
import { z } from 'zod';
import type { CallContext } from '../../commands/call-context.ts';
import type { OperationOrder, OperationRow, OperationStore } from '../http/operation-store.ts';
import { pageCursors, pageLimit } from './queries/page-cursor.ts';

// Ids are UUIDv7: their order is that of time.
const cursors = pageCursors('operations', z.uuid());

/** Operations in Postgres. */
export const createOperationStore = (pool: pg.Pool): OperationStore => ({
  async create(operationId, caller, order) {
    const { rows } = await pool.query<StoredOperation>(CREATE, [
      operationId,
      caller.tenantId,
      order.action,
      JSON.stringify(order),
      JSON.stringify(caller),
    ]);
    const [created] = rows;
    if (!created) throw new Error('the operation was not stored');
    return toRow(created);
  },

  async get(tenantId, operationId) {
    const { rows } = await pool.query<StoredOperation>(GET, [tenantId, operationId]);
    return rows[0] && toRow(rows[0]);
  },

  async list(tenantId, request) {
    const from = cursors.read(request.cursor);
    const limit = pageLimit(request);
    const text = from?.towards === 'newer' ? LIST_NEWER : LIST_OLDER;
    const { rows } = await pool.query<StoredOperation>(text, [tenantId, from?.key ?? null, limit + 1]);
    return cursors.page(rows.map(toRow), from, limit, ({ operationId }) => operationId);
  },

  async abort(tenantId, operationId) {
    const { rowCount } = await pool.query(ABORT, [tenantId, operationId]);
    return rowCount === 1;
  },

  async take() {
    const { rows } = await pool.query<StoredOperation>(TAKE);
    const [taken] = rows;
    if (!taken) return undefined;
    return {
      ...toRow(taken),
      order: JSON.parse(taken.request) as OperationOrder,
      caller: JSON.parse(taken.caller) as CallContext,
      cursor: taken.cursor,
    };
  },

  async save(operationId, cursor, { seen, changed, refused }) {
    const { rowCount } = await pool.query(SAVE, [operationId, cursor, seen, changed, refused]);
    return rowCount === 1;
  },

  async finish(operationId, { seen, changed, refused }, error) {
    const status = error === undefined ? 'done' : 'failed';
    await pool.query(FINISH, [operationId, status, error ?? null, seen, changed, refused]);
  },
});

interface StoredOperation {
  readonly operation_id: string;
  readonly action: OperationRow['action'];
  readonly request: string;
  readonly caller: string;
  readonly status: OperationRow['status'];
  readonly cursor: string | null;
  readonly seen: number;
  readonly changed: number;
  readonly refused: number;
  readonly error: string | null;
  readonly started_at: Date;
  readonly finished_at: Date | null;
}

const toRow = (stored: StoredOperation): OperationRow => ({
  operationId: stored.operation_id,
  action: stored.action,
  status: stored.status,
  seen: stored.seen,
  changed: stored.changed,
  refused: stored.refused,
  by: (JSON.parse(stored.caller) as CallContext).actor.id,
  error: stored.error,
  startedAt: stored.started_at.getTime(),
  finishedAt: stored.finished_at?.getTime() ?? null,
});

const COLUMNS = `
  operation_id, action, request, caller, status, cursor, seen, changed, refused, error, started_at, finished_at`;

const CREATE = `
insert into operations (operation_id, tenant_id, action, request, caller)
values ($1, $2, $3, $4, $5)
returning ${COLUMNS}`;

const GET = `
select ${COLUMNS}
from operations
where tenant_id = $1
  and operation_id = $2`;

const LIST_OLDER = `
select ${COLUMNS}
from operations
where tenant_id = $1
  and ($2::uuid is null or operation_id < $2)
order by operation_id desc
limit $3`;

const LIST_NEWER = `
select ${COLUMNS}
from operations
where tenant_id = $1
  and operation_id > $2
order by operation_id
limit $3`;

const ABORT = `
update operations
set status = 'aborted', finished_at = now()
where tenant_id = $1
  and operation_id = $2
  and status = 'running'`;

const TAKE = `
update operations
set leased_until = now() + interval '30 seconds'
where operation_id = (
  select operation_id
  from operations
  where status = 'running'
    and leased_until < now()
  order by leased_until, operation_id
  limit 1
  for update skip locked
)
returning ${COLUMNS}`;

const SAVE = `
update operations
set cursor = $2, seen = $3, changed = $4, refused = $5, leased_until = now() + interval '30 seconds'
where operation_id = $1
  and status = 'running'`;

const FINISH = `
update operations
set status = $2, error = $3, seen = $4, changed = $5, refused = $6, finished_at = now()
where operation_id = $1
  and status = 'running'`;
