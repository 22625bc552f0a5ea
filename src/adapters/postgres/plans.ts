import type pg from 'pg';
import type { Plan, PlanRemoval, PlanStore, PlanToApply } from '../../commands/plans/plan-store.ts';
import type { PlanTerms } from '../../commands/plans/plan-terms.ts';
import type { Clock } from '../../commands/ports.ts';
import { inTransaction } from '../../projections/in-transaction.ts';
import { oneByOne } from './one-by-one.ts';

/** Changes by other processes are noticed within this time. */
const FRESH_MS = 1_000;
const MOST_REMEMBERED = 1_000;
const MOST_CHANGES = 100;

export function createPlanStore(pool: pg.Pool, clock: Clock): PlanStore {
  const remembered = new Map<string, { readonly at: number; readonly plan: Promise<Plan | undefined> }>();
  const get = async (name: string): Promise<Plan | undefined> => {
    const { rows } = await pool.query<PlanRow>(GET, [name]);
    return rows[0] && toPlan(rows[0]);
  };
  // A change holds a connection while it is noted, and the log may need others of the same pool.
  const inTurn = oneByOne('plans', MOST_CHANGES);
  return {
    get,
    async list() {
      return (await pool.query<PlanRow>(LIST)).rows.map(toPlan);
    },
    recent(name) {
      const known = remembered.get(name);
      if (known && Math.abs(clock.now() - known.at) < FRESH_MS) return known.plan;
      if (remembered.size >= MOST_REMEMBERED) remembered.clear();
      const entry = { at: clock.now(), plan: get(name) };
      remembered.set(name, entry);
      entry.plan.catch(() => {
        if (remembered.get(name) === entry) remembered.delete(name);
      });
      return entry.plan;
    },
    async put({ name, terms, by, reason, expectedRevision, note }) {
      const values = [name, JSON.stringify(terms), by, reason ?? null, expectedRevision ?? null];
      const change = async (client: pg.PoolClient) => {
        await client.query(LOCK, [name]);
        const { rows } = await client.query<PlanRow>(PUT, values);
        if (rows[0]) await note();
        return rows[0];
      };
      const row = await inTurn(() => inTransaction(pool, change));
      remembered.delete(name);
      if (row) return toPlan(row);
      return (await get(name))?.fromFile ? 'taken' : 'revision_mismatch';
    },
    async remove(name, { expectedRevision, note }) {
      const change = async (client: pg.PoolClient): Promise<PlanRemoval> => {
        const { rows } = await client.query<LockedRow>(LOCK, [name]);
        const [row] = rows;
        if (!row) return 'missing';
        if (row.from_file) return 'taken';
        if ((expectedRevision ?? row.revision) !== row.revision) return 'revision_mismatch';
        await client.query(REMOVE, [name]);
        await note();
        return 'removed';
      };
      const removal = await inTurn(() => inTransaction(pool, change));
      remembered.delete(name);
      return removal;
    },
    async replaceFromFile(plans) {
      await inTransaction(pool, async (client) => {
        await client.query(LET_GO, [[...plans.keys()]]);
        for (const [name, terms] of plans) await client.query(PUT_FROM_FILE, [name, JSON.stringify(terms)]);
      });
      remembered.clear();
    },
    async toApply(): Promise<PlanToApply | undefined> {
      const { rows } = await pool.query<PlanRow>(TO_APPLY);
      return rows[0] && { plan: toPlan(rows[0]), upTo: rows[0].applied_up_to };
    },
    async applied(name, revision, upTo, all) {
      await pool.query(APPLIED, [name, revision, all ? null : upTo, all]);
    },
  };
}

interface PlanRow {
  readonly name: string;
  readonly terms: PlanTerms;
  readonly revision: number;
  readonly from_file: boolean;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly updated_by: string;
  readonly reason: string | null;
  readonly applied_revision: number;
  readonly applied_up_to: string | null;
}

interface LockedRow {
  readonly from_file: boolean;
  readonly revision: number;
}

const toPlan = (row: PlanRow): Plan => ({
  ...row.terms,
  name: row.name,
  revision: row.revision,
  fromFile: row.from_file,
  createdAt: row.created_at.getTime(),
  updatedAt: row.updated_at.getTime(),
  updatedBy: row.updated_by,
  reason: row.reason,
  appliedRevision: row.applied_revision,
});

const COLUMNS =
  'name, terms, revision, from_file, created_at, updated_at, updated_by, reason, applied_revision, applied_up_to';

const LIST = `
select ${COLUMNS}
from plans
order by name`;

const GET = `
select ${COLUMNS}
from plans
where name = $1`;

/** Until the end of the transaction: what is decided about the plan is still so when it is noted. */
const LOCK = `
select from_file, revision
from plans
where name = $1
for update`;

/** No tenant can be on a plan that is new: there is nothing to apply. */
const PUT = `
insert into plans as known (name, terms, updated_by, reason, applied_revision)
select $1, $2::jsonb, $3, $4, 0
where $5::int is null or $5 = -1 or exists (select from plans where name = $1)
on conflict (name) do update
set
  terms = excluded.terms,
  revision = known.revision + case when known.terms = excluded.terms then 0 else 1 end,
  applied_up_to = case when known.terms = excluded.terms then known.applied_up_to end,
  updated_at = now(),
  updated_by = excluded.updated_by,
  reason = excluded.reason
where not known.from_file and ($5::int is null or $5 = known.revision)
returning ${COLUMNS}`;

const REMOVE = `
delete from plans
where name = $1`;

const LET_GO = `
update plans
set from_file = false
where from_file and name <> all ($1::text[])`;

const PUT_FROM_FILE = `
insert into plans as known (name, terms, from_file, updated_by, applied_revision)
values ($1, $2::jsonb, true, 'file', 0)
on conflict (name) do update
set
  terms = excluded.terms,
  revision = known.revision + case when known.terms = excluded.terms then 0 else 1 end,
  applied_up_to = case when known.terms = excluded.terms then known.applied_up_to end,
  from_file = true,
  updated_at = now(),
  updated_by = 'file',
  reason = null
where not known.from_file or known.terms <> excluded.terms`;

const TO_APPLY = `
select ${COLUMNS}
from plans
where applied_revision < revision
order by updated_at
limit 1`;

const APPLIED = `
update plans
set applied_up_to = $3, applied_revision = case when $4 then revision else applied_revision end
where name = $1 and revision = $2`;
