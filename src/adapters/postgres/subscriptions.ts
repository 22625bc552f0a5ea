import type pg from 'pg';
import {
  type Subscription,
  type SubscriptionRule,
  subscriptionRule,
} from '../../commands/inbound/subscription.ts';
import {
  MOST_SUBSCRIPTIONS,
  type StoredSubscription,
  type SubscriptionRemoval,
  type SubscriptionStore,
} from '../../commands/inbound/subscription-store.ts';
import type { Clock } from '../../commands/ports.ts';
import { inTransaction } from '../../projections/in-transaction.ts';
import { oneByOne } from './one-by-one.ts';

/** Changes by other processes are noticed within this time. */
const FRESH_MS = 1_000;
const MOST_CHANGES = 100;

export function createSubscriptionStore(pool: pg.Pool, clock: Clock): SubscriptionStore {
  let cached: { readonly at: number; readonly rows: Promise<readonly Subscription[]> } | undefined;
  const load = async (): Promise<readonly StoredSubscription[]> =>
    (await pool.query<SubscriptionRow>(IN_FORCE)).rows.map(toSubscription);
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
      const found = meant((await pool.query<SubscriptionRow>(GET, [name, scope])).rows);
      return typeof found === 'object' ? toSubscription(found) : found;
    },
    async put({ name, tenantId, rule, by, note }) {
      const put = async (client: pg.PoolClient) => {
        await client.query(LOCK);
        const [standing] = (await client.query<Standing>(STANDING, [name, tenantId])).rows;
        if (standing?.taken) return 'taken';
        if (standing && !standing.known && standing.own >= MOST_SUBSCRIPTIONS) return 'too_many';
        const values = [name, tenantId, JSON.stringify(rule), by];
        const [row] = (await client.query<SubscriptionRow>(PUT, values)).rows;
        if (!row) throw new Error(`nothing was written of subscription ${name}`);
        await note();
        return toSubscription(row);
      };
      const written = await inTurn(() => inTransaction(pool, put));
      cached = undefined;
      return written;
    },
    async remove(name, scope, note) {
      const remove = async (client: pg.PoolClient): Promise<SubscriptionRemoval> => {
        await client.query(LOCK);
        const found = meant((await client.query<SubscriptionRow>(GET, [name, scope])).rows);
        if (found === undefined) return 'missing';
        if (found === 'several') return 'several';
        if (found.from_file) return 'taken';
        await client.query(REMOVE, [name, found.tenant_id]);
        await note();
        return 'removed';
      };
      const removal = await inTurn(() => inTransaction(pool, remove));
      cached = undefined;
      return removal;
    },
    async replaceFromFile(rules, among) {
      await inTransaction(pool, async (client) => {
        await client.query(LOCK);
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

/** What there is before a put. */
interface Standing {
  readonly taken: boolean;
  readonly known: boolean;
  /** Subscriptions of the tenant. */
  readonly own: number;
}

/** The platform's own comes first; tenants' of the same name must be told apart by whoever asks. */
function meant(rows: readonly SubscriptionRow[]): SubscriptionRow | 'several' | undefined {
  const [first, ...others] = rows;
  return first && first.tenant_id !== null && others.length > 0 ? 'several' : first;
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
order by name, owner`;

const IN_FORCE = `
select ${COLUMNS}
from subscriptions as one
where
  tenant_id is null
  or not exists (select from subscriptions as platform where platform.owner = '' and platform.name = one.name)
order by name, owner`;

const GET = `
select ${COLUMNS}
from subscriptions
where name = $1 and ($2::text is null or tenant_id = $2)
order by owner
limit 2`;

/**
 * Until the end of the transaction nobody else changes subscriptions: what is decided about them is still so when it is
 * noted. Reading goes on.
 */
const LOCK = `
lock table subscriptions in share row exclusive mode`;

const STANDING = `
select
  coalesce(bool_or(name = $1 and (from_file or (tenant_id is null) <> ($2::text is null))), false) as taken,
  coalesce(bool_or(name = $1 and tenant_id is not distinct from $2), false) as known,
  count(*) filter (where tenant_id = $2)::int as own
from subscriptions
where name = $1 or tenant_id = $2`;

const PUT = `
insert into subscriptions (name, tenant_id, rule, updated_by)
values ($1, $2, $3, $4)
on conflict (owner, name) do update
set rule = excluded.rule, updated_at = now(), updated_by = excluded.updated_by
returning ${COLUMNS}`;

const REMOVE = `
delete from subscriptions
where name = $1 and tenant_id is not distinct from $2`;

const DROP_FROM_FILE = `
delete from subscriptions
where from_file and name <> all ($1::text[]) and ($2::text[] is null or name = any ($2))`;

const PUT_FROM_FILE = `
insert into subscriptions (name, rule, from_file, updated_by)
values ($1, $2, true, 'file')
on conflict (owner, name) do update
set rule = excluded.rule, from_file = true, updated_at = now(), updated_by = 'file'
where subscriptions.rule::text <> excluded.rule::text or not subscriptions.from_file`;
