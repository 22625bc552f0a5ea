import type pg from 'pg';
import type { InboxLedger, LedgerEntry, LedgerJob } from '../../commands/inbound/inbox-ledger.ts';
import { inTransaction } from '../../projections/in-transaction.ts';
import { Slots } from './slots.ts';
import { stageChecked } from './staged-jobs.ts';

/** A command needs a second connection while its transaction holds the first: some must always be left. */
const COMMANDS_AT_ONCE = 2;

/** The ledger of what events have caused, in processed_events. */
export function createInboxLedger(pool: pg.Pool): InboxLedger {
  const slots = new Slots(COMMANDS_AT_ONCE);
  return {
    async stage(jobs, letIn) {
      // The same event twice in one batch is one event.
      const first = new Map<string, LedgerJob>();
      for (const job of jobs) if (!first.has(keyOf(job))) first.set(keyOf(job), job);
      // In the order of the key: two processes with the same events wait for each other instead of deadlocking.
      const entries = [...first].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, job]) => job);
      const taken = await inTransaction(pool, async (client) => {
        const isNew = await take(client, entries);
        const fresh = [...first.values()].filter((job) => isNew.has(keyOf(job)));
        if (fresh.length > 0) await stageChecked(client, letIn(fresh));
        return isNew;
      });
      return jobs.map((job) => taken.has(keyOf(job)) && first.get(keyOf(job)) === job);
    },

    once: (entry, work) =>
      slots.take(() =>
        inTransaction(pool, async (client) => {
          const isNew = (await take(client, [entry])).size > 0;
          if (isNew) await work();
          return isNew;
        }),
      ),

    onceInOrder: (entry, { about, occurredAt, identity }, work) =>
      slots.take(() =>
        inTransaction(pool, async (client) => {
          if ((await take(client, [entry])).size === 0) return 'duplicate';
          // The row is locked until the end: others that decide about the same wait, and then see this one.
          const { rowCount } = await client.query(DECIDE, [entry.tenantId, about, occurredAt, identity]);
          if (rowCount === 0) return 'outdated';
          await work();
          return 'done';
        }),
      ),
  };
}

/** No part may hold a line break that could be mistaken for this one: it is only for maps, never stored. */
const keyOf = ({ subscription, tenantId, dedupeId }: LedgerEntry): string =>
  `${subscription}\n${tenantId}\n${dedupeId}`;

async function take(client: pg.PoolClient, entries: readonly LedgerEntry[]): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<TakenRow>({
    name: 'inbox_ledger_take',
    text: TAKE,
    values: [
      entries.map(({ subscription }) => subscription),
      entries.map(({ tenantId }) => tenantId),
      entries.map(({ dedupeId }) => dedupeId),
    ],
  });
  return new Set(
    rows.map((row) =>
      keyOf({ subscription: row.subscription, tenantId: row.tenant_id, dedupeId: row.dedupe_id }),
    ),
  );
}

interface TakenRow {
  readonly subscription: string;
  readonly tenant_id: string;
  readonly dedupe_id: string;
}

const TAKE = `
insert into eventzr.processed_events (subscription, tenant_id, dedupe_id)
select subscription, tenant_id, dedupe_id
from unnest($1::text[], $2::text[], $3::text[]) as entry (subscription, tenant_id, dedupe_id)
on conflict do nothing
returning subscription, tenant_id, dedupe_id`;

const DECIDE = `
insert into eventzr.tenant_decisions as last (tenant_id, about, occurred_at, identity)
values ($1, $2, to_timestamp($3::float8 / 1000), $4)
on conflict (tenant_id, about) do update
set occurred_at = excluded.occurred_at, identity = excluded.identity
where (last.occurred_at, last.identity collate "C") < (excluded.occurred_at, excluded.identity collate "C")`;
