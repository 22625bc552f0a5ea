import type pg from 'pg';
import {
  type Subscription,
  type SubscriptionRule,
  subscriptionRule,
} from '../../commands/inbound/subscription.ts';
import type { StoredSubscription, SubscriptionStore } from '../../commands/inbound/subscription-store.ts';
import type { Clock } from '../../commands/ports.ts';
import { inTransaction } from '../../projections/in-transaction.ts';
import { oneByOne } from './one-by-one.ts';

/** Changes by other processes are noticed within this time. */
const FRESH_MS = 1_000;
const MOST_CHANGES = 100;

export function createSubscriptionStore(pool: pg.Pool, clock: Clock): SubscriptionStore {
  let cached: { readonly at: number; readonly rows: Promise<readonly Subscription[]> } | undefined;
  const load = async (): Promise<readonly StoredSubscription[]> =>
    (await pool.query<SubscriptionRow>(LIST, [null])).rows.map(toSubscription);
  // A change holds a connection while it is noted, and the log may need others of the same pool.
  const inTurn = oneByOne('subscriptions', MOST_CHANGES);
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
    async put({ name, tenantId, rule, by, note }) {
      const put = async (client: pg.PoolClient) => {
        const values = [name, tenantId, JSON.stringify(rule), by];
        const { rows } = await client.query<SubscriptionRow>(PUT, values);
        if (rows[0]) await note();
        return rows[0];
      };
      const row = await inTurn(() => inTransaction(pool, put));
      cached = undefined;
      return row ? toSubscription(row) : 'taken';
    },
    async remove(name, scope, note) {
      const remove = async (client: pg.PoolClient) => {
        const [row] = (await client.query<{ from_file: boolean }>(LOCK, [name, scope])).rows;
        if (!row) return 'missing';
        if (row.from_file) return 'taken';
        await client.query(REMOVE, [name]);
        await note();
        return 'removed';
      };
      const removal = await inTurn(() => inTransaction(pool, remove));
      cached = undefined;
      return removal;
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

/** Until the end of the transaction: what is decided about the subscription is still so when it is noted. */
const LOCK = `
select from_file
from subscriptions
where name = $1 and ($2::text is null or tenant_id = $2)
for update`;

const REMOVE = `
delete from subscriptions
where name = $1`;

const DROP_FROM_FILE = `
delete from subscriptions
where from_file and name <> all ($1::text[]) and ($2::text[] is null or name = any ($2))`;

const PUT_FROM_FILE = `
insert into subscriptions (name, rule, from_file, updated_by)
values ($1, $2, true, 'file')
on conflict (name) do update
set tenant_id = null, rule = excluded.rule, from_file = true, updated_at = now(), updated_by = 'file'
where subscriptions.rule::text <> excluded.rule::text or not subscriptions.from_file`;
