import type pg from 'pg';
import { createQuotaAccounts } from '../../src/adapters/postgres/quota-accounts.ts';
import { decodeEvent } from '../../src/commands/decode-event.ts';
import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import { type EventLog, LOG_START, type Position } from '../../src/commands/ports.ts';
import { APPLY_SETTINGS } from '../../src/projections/apply-batch.ts';
import { liveGeneration, writeTo } from '../../src/projections/generations.ts';
import { inTransaction } from '../../src/projections/in-transaction.ts';
import { QUOTA_USAGE, quotaUsageProjection } from '../../src/projections/quota-usage.ts';
import { NaiveQuotas } from './naive-quotas.ts';
import { type Counting, TENANT } from './quota-world.ts';

/** Reads the log a little at a time, from where it stopped. */
function reading(log: EventLog) {
  let position: Position = LOG_START;
  return {
    async next(most: number): Promise<readonly DecodedEvent[]> {
      const page = await log.readLog(position, most, { prefixes: quotaUsageProjection.prefixes });
      return page.events.flatMap((stored) => decodeEvent(stored) ?? []);
    },
    seen(events: readonly DecodedEvent[]): boolean {
      position = events.at(-1)?.position ?? position;
      return events.length > 0;
    },
  };
}

export function countingInMemory(log: EventLog): Counting {
  const quotas = new NaiveQuotas();
  const reader = reading(log);
  return {
    accounts: quotas,
    async count(most) {
      const events = await reader.next(most);
      for (const event of events) quotas.apply(event);
      return reader.seen(events);
    },
    async total() {
      const account = quotas.accounts.get(TENANT);
      const { released = 0, adopted = 0, revived = 0, latest, unfinished = 0 } = account ?? {};
      return {
        owed: Math.abs(released) + Math.abs(adopted) + Math.abs(revived),
        pending: account?.pending.length ?? 0,
        folded: unfinished,
        carried: latest?.quota.unfinished ?? 0,
      };
    },
  };
}

/** The real projection; some of its batches die before they are committed. */
export async function countingInPostgres(
  log: EventLog,
  pool: pg.Pool,
  dies: () => boolean,
): Promise<Counting> {
  const generation = await liveGeneration(pool, QUOTA_USAGE);
  if (!generation) throw new Error('quota-usage has no tables');
  const reader = reading(log);
  const apply = (events: readonly DecodedEvent[], died: boolean) =>
    inTransaction(
      pool,
      async (client) => {
        await quotaUsageProjection.apply(events, writeTo(client, generation));
        if (died) throw new Died();
      },
      { settings: APPLY_SETTINGS },
    );
  return {
    accounts: createQuotaAccounts(pool),
    async count(most) {
      const events = await reader.next(most);
      try {
        await apply(events, dies());
      } catch (error) {
        if (!(error instanceof Died)) throw error;
        return true;
      }
      return reader.seen(events);
    },
    async total() {
      const { rows } = await pool.query<
        Record<'owed' | 'pending' | 'waiting' | 'folded' | 'carried', string>
      >(TOTAL, [TENANT]);
      const [row] = rows;
      if (row && row.pending !== row.waiting)
        throw new Error(`${row.pending} slots counted, ${row.waiting} there`);
      return {
        owed: Number(row?.owed ?? 0),
        pending: Number(row?.pending ?? 0),
        folded: Number(row?.folded ?? 0),
        carried: Number(row?.carried ?? 0),
      };
    },
  };
}

class Died extends Error {}

const TOTAL = `
select
  abs(released) + abs(adopted) + abs(revived) as owed,
  pending,
  (select count(*) from quota_pending as p where p.tenant_id = u.tenant_id) as waiting,
  unfinished as folded,
  (quota::json ->> 'unfinished') as carried
from quota_usage as u
where tenant_id = $1`;
