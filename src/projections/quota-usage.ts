import type { DecodedEvent } from '../commands/decoded-event.ts';
import { JOB_STREAM_PREFIX } from '../domain/job/stream.ts';
import { QUOTA_STREAM_PREFIX } from '../domain/tenant-quota/stream.ts';
import { type AccountChange, foldQuotas } from './fold-quotas.ts';
import { lineArray, lines, texts, withoutNul } from './line-columns.ts';
import type { Projection, ProjectionTable, ProjectionWrite } from './projection.ts';
import { type LedgerSpan, newestDay, quotaHistoryTable, writeLedger } from './quota-ledger.ts';
import { type PendingChange, quotaPendingTable, writePending } from './quota-pending.ts';

/**
 * One row for each tenant that ever had a job or a quota. `released`, `adopted` and `revived` are what jobs did and the
 * quota's stream has not been told yet; `unfinished` adds up what the stream's events say they did, and must equal what
 * the latest of them carries.
 */
const usageTable: ProjectionTable = {
  name: 'quota_usage',
  create: (table) => `
create table ${table} (
  tenant_id text collate "C" primary key,
  position bigint not null,
  updated_at bigint not null,
  released bigint not null,
  adopted bigint not null,
  revived bigint not null,
  pending bigint not null,
  unfinished bigint not null,
  day integer not null,
  enqueued bigint not null,
  ledger_day integer not null,
  limited boolean not null,
  revision integer,
  settled_through bigint,
  quota_day integer,
  used_today bigint,
  used_ahead bigint,
  suspended_until bigint,
  plan text collate "C",
  quota text,
  check (limited = (revision is not null) and limited = (quota is not null))
) with (fillfactor = 50)`,
  // On what never changes again, so that counting stays cheap.
  indexes: (table) => [`create index ${table}_limited on ${table} (tenant_id) where limited`],
};

export const QUOTA_USAGE = 'quota-usage';

/**
 * What every tenant uses, and the ledger of those that have a quota. The sums have no revision to go by: applying a batch
 * twice counts it twice, and the checkpoint, moved in the same transaction, is what rules that out.
 */
export const quotaUsageProjection: Projection = {
  name: QUOTA_USAGE,
  version: 1,
  prefixes: [JOB_STREAM_PREFIX, QUOTA_STREAM_PREFIX],
  needsContent: false,
  unlogged: false,
  tables: [usageTable, quotaPendingTable, quotaHistoryTable],
  apply,
};

async function apply(events: readonly DecodedEvent[], write: ProjectionWrite): Promise<void> {
  const changes = foldQuotas(events);
  if (changes.length === 0) return;
  const before = await readBefore(changes, write);
  const rowsBefore = (tenantId: string): number => Number(before.get(tenantId)?.pending ?? 0);
  const pending = await writePending(changes, rowsBefore, write);
  const spans = new Map<string, LedgerSpan>();
  for (const { tenantId, ledger } of changes) {
    const dayBefore = before.get(tenantId)?.ledger_day ?? 0;
    spans.set(tenantId, { tenantId, dayBefore, day: Math.max(dayBefore, newestDay(ledger)) });
  }
  await writeUsage(changes, pending, spans, write);
  const ledger = changes.flatMap((change) => [...change.ledger.values()]);
  if (ledger.length > 0) await writeLedger(ledger, spans, write);
}

interface Before {
  readonly tenant_id: string;
  readonly pending: string;
  readonly ledger_day: number;
}

/** Only of tenants for which it matters. */
async function readBefore(
  changes: readonly AccountChange[],
  { client, table }: ProjectionWrite,
): Promise<ReadonlyMap<string, Before>> {
  const asked = changes.filter(({ created, latest }) => created.length > 0 || latest !== undefined);
  if (asked.length === 0) return new Map();
  const usage = table('quota_usage');
  const { rows } = await client.query<Before>({
    name: `before ${usage}`,
    text: beforeSql(usage),
    values: [lines(asked, ({ tenantId }) => tenantId)],
  });
  return new Map(rows.map((row) => [row.tenant_id, row]));
}

const beforeSql = (usage: string) => `
select tenant_id, pending, ledger_day
from ${usage}
where tenant_id = any (${lineArray(1)})
  and limited`;

/** A suspension without an end. */
const FOR_EVER = '9223372036854775807';

async function writeUsage(
  changes: readonly AccountChange[],
  pending: ReadonlyMap<string, PendingChange>,
  spans: ReadonlyMap<string, LedgerSpan>,
  { client, table }: ProjectionWrite,
): Promise<void> {
  const usage = table('quota_usage');
  await client.query({
    name: `write ${usage}`,
    text: writeSql(usage),
    values: [
      lines(changes, ({ tenantId }) => tenantId),
      lines(changes, ({ position }) => `${position}`),
      lines(changes, ({ at }) => at),
      lines(changes, ({ tenantId, released }) => released + (pending.get(tenantId)?.released ?? 0)),
      lines(changes, ({ adopted }) => adopted),
      lines(changes, ({ revived }) => revived),
      lines(changes, ({ tenantId }) => pending.get(tenantId)?.rows ?? 0),
      lines(changes, ({ unfinished }) => unfinished),
      lines(changes, ({ day }) => day),
      lines(changes, ({ enqueued }) => enqueued),
      lines(changes, ({ tenantId }) => spans.get(tenantId)?.day ?? 0),
      lines(changes, ({ latest }) => latest?.revision),
      lines(changes, ({ latest }) => latest?.quota.settledThrough),
      lines(changes, ({ latest }) => latest?.quota.day),
      lines(changes, ({ latest }) => latest?.quota.usedToday),
      lines(changes, ({ latest }) => latest?.quota.usedAhead),
      lines(changes, ({ latest }) => {
        const suspension = latest?.quota.suspension;
        return suspension && (suspension.until ?? FOR_EVER);
      }),
      texts(changes, ({ latest }) => {
        const plan = latest?.quota.terms.plan;
        return plan === undefined ? undefined : withoutNul(plan);
      }),
      lines(changes, ({ latest }) => latest && JSON.stringify(latest.quota)),
    ],
  });
}

const COUNTED = ['released', 'adopted', 'revived', 'pending', 'unfinished'] as const;
/** As the latest event of the quota's stream left them. */
const CARRIED = [
  'revision',
  'settled_through',
  'quota_day',
  'used_today',
  'used_ahead',
  'suspended_until',
  'plan',
  'quota',
] as const;

const writeSql = (usage: string) => `
insert into ${usage} as u (
  tenant_id, position, updated_at, ${COUNTED.join(', ')}, day, enqueued, ledger_day, limited, ${CARRIED.join(', ')}
)
select
  tenant_id, position, updated_at, ${COUNTED.join(', ')}, day, enqueued, ledger_day, revision is not null,
  ${CARRIED.join(', ')}
from unnest(
  ${lineArray(1)}, ${[2, 3, 4, 5, 6, 7, 8].map((n) => lineArray(n, 'bigint')).join(', ')},
  ${lineArray(9, 'int')}, ${lineArray(10, 'bigint')}, ${lineArray(11, 'int')}, ${lineArray(12, 'int')},
  ${lineArray(13, 'bigint')}, ${lineArray(14, 'int')},
  ${[15, 16, 17].map((n) => lineArray(n, 'bigint')).join(', ')}, $18::text[], ${lineArray(19)}
) as c (
  tenant_id, position, updated_at, ${COUNTED.join(', ')}, day, enqueued, ledger_day, ${CARRIED.join(', ')}
)
on conflict (tenant_id) do update
set
  position = excluded.position,
  updated_at = excluded.updated_at,
  ${COUNTED.map((column) => `${column} = u.${column} + excluded.${column}`).join(',\n  ')},
  day = greatest(u.day, excluded.day),
  enqueued = case
    when excluded.day > u.day then excluded.enqueued
    when excluded.day = u.day then u.enqueued + excluded.enqueued
    else u.enqueued
  end,
  ledger_day = greatest(u.ledger_day, excluded.ledger_day),
  limited = u.limited or excluded.limited,
  ${CARRIED.map((column) => `${column} = case when excluded.limited then excluded.${column} else u.${column} end`).join(',\n  ')}`;
