import type pg from 'pg';
import {
  type Subscription,
  type SubscriptionRule,
  subscriptionRule,
} from '../../commands/inbound/subscription.ts';
import type { StoredSubscription, SubscriptionStore } from '../../commands/inbound/subscription-store.ts';
import type { Clock } from '../../commands/ports.ts';
import { inTransaction } from '../../projections/in-transaction.ts';

/** Changes by other processes are noticed within this time. */
const FRESH_MS = 1_000;

export function createSubscriptionStore(pool: pg.Pool, clock: Clock): SubscriptionStore {
  let cached: { readonly at: number; readonly rows: Promise<readonly Subscription[]> } | undefined;
  const load = async (): Promise<readonly StoredSubscription[]> =>
    (await pool.query<SubscriptionRow>(LIST, [null])).rows.map(toSubscription);
  return {
    current() {
      if (cached && Math.abs(clock.now() - cached.at) < FRESH_MS) return cached.rows;
      const rows = load();
      const entry = { at: clock.now(), rows };
      cached = entry;
      rows.catch(() => {
        if (cached === entry) cached = undefined;
      });
      return rows;
    },
    async list(scope) {
      return (await pool.query<SubscriptionRow>(LIST, [scope])).rows.map(toSubscription);
    },
    async get(name, scope) {
      const { rows } = await pool.query<SubscriptionRow>(GET, [name, scope]);
      return rows[0] && toSubscription(rows[0]);
    },
    async put({ name, tenantId, rule, by }) {
      const { rows } = await pool.query<SubscriptionRow>(PUT, [name, tenantId, JSON.stringify(rule), by]);
      cached = undefined;
      return rows[0] ? toSubscription(rows[0]) : 'taken';
    },
    async remove(name, scope) {
      const { rows } = await pool.query<{ from_file: boolean }>(REMOVE, [name, scope]);
      cached = undefined;
      const [row] = rows;
      if (!row) return 'missing';
      return row.from_file ? 'taken' : 'removed';
    },
    async replaceFromFile(rules, among) {
      await inTransaction(pool, async (client) => {
        await client.query(DROP_FROM_FILE, [[...rules.keys()], among ?? null]);
        for (const [name, rule] of rules) await client.query(PUT_FROM_FILE, [name, JSON.stringify(rule)]);
      });
      cached = undefined;
    },
  };
}

interface SubscriptionRow {
  readonly name: string;
  readonly tenant_id: string | null;
  readonly rule: SubscriptionRule;
  readonly from_file: boolean;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly updated_by: string;
}

const toSubscription = (row: SubscriptionRow): StoredSubscription => ({
  ...subscriptionRule.parse(row.rule),
  name: row.name,
  tenantId: row.tenant_id,
  fromFile: row.from_file,
  createdAt: row.created_at.getTime(),
  updatedAt: row.updated_at.getTime(),
  updatedBy: row.updated_by,
});

const COLUMNS = 'name, tenant_id, rule, from_file, created_at, updated_at, updated_by';

const LIST = `
select ${COLUMNS}
from subscriptions
where $1::text is null or tenant_id = $1
order by name`;

const GET = `
select ${COLUMNS}
from subscriptions
where name = $1 and ($2::text is null or tenant_id = $2)`;

const PUT = `
insert into subscriptions as known (name, tenant_id, rule, updated_by)
values ($1, $2, $3, $4)
on conflict (name) do update
set rule = excluded.rule, updated_at = now(), updated_by = excluded.updated_by
where not known.from_file and known.tenant_id is not distinct from excluded.tenant_id
returning ${COLUMNS}`;

const REMOVE = `
with found as (
  select name, from_file
  from subscriptions
  where name = $1 and ($2::text is null or tenant_id = $2)
), removed as (
  delete from subscriptions
  where name in (select name from found where not from_file)
)
select from_file
from found`;

const DROP_FROM_FILE = `
delete from subscriptions
where from_file and name <> all ($1::text[]) and ($2::text[] is null or name = any ($2))`;

const PUT_FROM_FILE = `
insert into subscriptions (name, rule, from_file, updated_by)
values ($1, $2, true, 'file')
on conflict (name) do update
set tenant_id = null, rule = excluded.rule, from_file = true, updated_at = now(), updated_by = 'file'
where subscriptions.rule::text <> excluded.rule::text or not subscriptions.from_file`;
