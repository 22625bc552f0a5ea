import type pg from 'pg';
import type { Plan, PlanStore, PlanToApply } from '../../commands/plans/plan-store.ts';
import type { PlanTerms } from '../../commands/plans/plan-terms.ts';
import type { Clock } from '../../commands/ports.ts';
import { inTransaction } from '../../projections/in-transaction.ts';

/** Changes by other processes are noticed within this time. */
const FRESH_MS = 1_000;
const MOST_REMEMBERED = 1_000;

export function createPlanStore(pool: pg.Pool, clock: Clock): PlanStore {
  const remembered = new Map<string, { readonly at: number; readonly plan: Promise<Plan | undefined> }>();
  const get = async (name: string): Promise<Plan | undefined> => {
    const { rows } = await pool.query<PlanRow>(GET, [name]);
    return rows[0] && toPlan(rows[0]);
  };
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
    async put({ name, terms, by, reason, expectedRevision }) {
      const values = [name, JSON.stringify(terms), by, reason ?? null, expectedRevision ?? null];
      const { rows } = await pool.query<PlanRow>(PUT, values);
      remembered.delete(name);
      const [row] = rows;
      if (row) return toPlan(row);
      return (await get(name))?.fromFile ? 'taken' : 'revision_mismatch';
    },
    async remove(name, expectedRevision) {
      const { rows } = await pool.query<RemovedRow>(REMOVE, [name, expectedRevision ?? null]);
      remembered.delete(name);
      const [row] = rows;
      if (!row) return 'missing';
      if (row.from_file) return 'taken';
      return row.fits ? 'removed' : 'revision_mismatch';
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

interface RemovedRow {
  readonly from_file: boolean;
  readonly fits: boolean;
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
with found as (
  select name, from_file, $2::int is null or $2 = revision as fits
  from plans
  where name = $1
), removed as (
  delete from plans
  where name in (select name from found where fits and not from_file)
)
select from_file, fits
from found`;

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
