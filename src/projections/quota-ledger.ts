import type { DecodedEvent } from '../commands/decoded-event.ts';
import { unreachable } from '../domain/decider.ts';
import type { TenantQuotaEvent } from '../domain/tenant-quota/events.ts';
import type { TenantQuota } from '../domain/tenant-quota/state.ts';
import { lineArray, lines, texts, withoutNul } from './line-columns.ts';
import type { ProjectionTable, ProjectionWrite } from './projection.ts';
import type { QuotaHistoryRow } from './quota-queries.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Kept before a tenant's newest day: minutes of usage, and what somebody decided. */
const USAGE_DAYS = 30;
const DECISION_DAYS = 400;

/** What one minute used, all of it in one line, or one other event of a tenant's quota. */
export interface LedgerLine {
  readonly tenantId: string;
  readonly minute: number;
  /** 0: the minute's usage; else the position of the event. */
  readonly seq: string;
  at: number;
  position: string;
  readonly kind: QuotaHistoryRow['kind'];
  actor: string;
  /** JSON; undefined for usage. */
  readonly details: string | undefined;
  quota: TenantQuota;
  reserved: number;
  ahead: number;
  released: number;
  adopted: number;
  revived: number;
}

export const quotaHistoryTable: ProjectionTable = {
  name: 'quota_history',
  create: (table) => `
create table ${table} (
  tenant_id text collate "C" not null,
  minute bigint not null,
  seq bigint not null,
  at bigint not null,
  position bigint not null,
  kind text collate "C" not null,
  actor text not null,
  details text,
  quota text not null,
  reserved bigint not null,
  ahead bigint not null,
  released bigint not null,
  adopted bigint not null,
  revived bigint not null,
  primary key (tenant_id, minute, seq),
  check ((seq = 0) = (kind = 'usage') and (seq = 0) = (details is null))
) with (fillfactor = 80)`,
  indexes: () => [],
};

/** By the log's own clock, so that a line's time never goes back while its position goes forward. */
export function addToLedger(
  ledger: Map<string, LedgerLine>,
  entry: Extract<DecodedEvent, { readonly aggregate: 'tenant_quota' }>,
): void {
  const { event, metadata, recordedAt: at } = entry;
  const minute = Math.floor(at / MINUTE_MS) * MINUTE_MS;
  const position = `${entry.position}`;
  const { kind, details } = changeOf(event);
  const seq = details === undefined ? '0' : position;
  const key = `${minute}.${seq}`;
  const line = ledger.get(key) ?? {
    tenantId: entry.tenantId,
    minute,
    seq,
    at,
    position,
    kind,
    actor: metadata.actor.id,
    details: details && JSON.stringify(details),
    quota: event.data.after,
    reserved: 0,
    ahead: 0,
    released: 0,
    adopted: 0,
    revived: 0,
  };
  ledger.set(key, line);
  line.at = at;
  line.position = position;
  line.actor = metadata.actor.id;
  line.quota = event.data.after;
  if (event.type === 'QuotaReserved') {
    line.reserved += event.data.jobIds.length;
    line.ahead += event.data.ahead;
  } else if (event.type === 'QuotaReleased') {
    line.released += event.data.released;
    line.adopted += event.data.adopted;
    line.revived += event.data.revived;
  }
}

/** No details: what the minute's usage adds up. */
function changeOf(event: TenantQuotaEvent): {
  readonly kind: QuotaHistoryRow['kind'];
  readonly details?: object | undefined;
} {
  switch (event.type) {
    case 'QuotaReserved':
    case 'QuotaReleased':
      return { kind: 'usage' };
    case 'QuotaInitialized':
    case 'QuotaLimitsChanged': {
      const { terms, reason = null } = event.data;
      const kind = event.type === 'QuotaInitialized' ? 'initialized' : 'limits_changed';
      return { kind, details: { terms, reason } };
    }
    case 'QuotaExceeded': {
      const { limit, value, used, refused, resetAt = null } = event.data;
      return { kind: 'exceeded', details: { limit, value, used, refused, resetAt } };
    }
    case 'QuotaReset': {
      const { by, used, reason = null } = event.data;
      return { kind: 'reset', details: { by, used, reason } };
    }
    case 'TenantSuspended': {
      const { mode, reason, until = null } = event.data;
      return { kind: 'suspended', details: { mode, reason, until } };
    }
    case 'TenantResumed':
      return { kind: 'resumed', details: { reason: event.data.reason ?? null } };
    default:
      return unreachable(event);
  }
}

export const newestDay = (ledger: ReadonlyMap<string, LedgerLine>): number => {
  let day = 0;
  for (const { minute } of ledger.values()) day = Math.max(day, Math.floor(minute / DAY_MS));
  return day;
};

/** How far each tenant's ledger has come: the newest day written before, and now. */
export interface LedgerSpan {
  readonly tenantId: string;
  readonly dayBefore: number;
  readonly day: number;
}

/** Lines that are too old by now are left out, so that a late event does not bring back what was dropped. */
export async function writeLedger(
  all: readonly LedgerLine[],
  spans: ReadonlyMap<string, LedgerSpan>,
  { client, table }: ProjectionWrite,
): Promise<void> {
  const history = table('quota_history');
  const kept = all.filter((line) => {
    const days = line.seq === '0' ? USAGE_DAYS : DECISION_DAYS;
    return line.minute >= ((spans.get(line.tenantId)?.day ?? 0) - days) * DAY_MS;
  });
  if (kept.length > 0) {
    await client.query({
      name: `write ${history}`,
      text: writeSql(history),
      values: [
        lines(kept, ({ tenantId }) => tenantId),
        lines(kept, ({ minute }) => minute),
        lines(kept, ({ seq }) => seq),
        lines(kept, ({ at }) => at),
        lines(kept, ({ position }) => position),
        lines(kept, ({ kind }) => kind),
        texts(kept, ({ actor }) => withoutNul(actor)),
        lines(kept, ({ details }) => details),
        lines(kept, ({ quota }) => JSON.stringify(quota)),
        lines(kept, ({ reserved }) => reserved),
        lines(kept, ({ ahead }) => ahead),
        lines(kept, ({ released }) => released),
        lines(kept, ({ adopted }) => adopted),
        lines(kept, ({ revived }) => revived),
      ],
    });
  }
  const advanced = [...spans.values()].filter(({ day, dayBefore }) => dayBefore > 0 && day > dayBefore);
  if (advanced.length === 0) return;
  await client.query(dropOldSql(history), [
    lines(advanced, ({ tenantId }) => tenantId),
    lines(advanced, ({ day }) => (day - USAGE_DAYS) * DAY_MS),
    lines(advanced, ({ day }) => (day - DECISION_DAYS) * DAY_MS),
  ]);
}

const writeSql = (history: string) => `
insert into ${history} as h (
  tenant_id, minute, seq, at, position, kind, actor, details, quota, reserved, ahead, released, adopted, revived
)
select *
from unnest(
  ${lineArray(1)}, ${lineArray(2, 'bigint')}, ${lineArray(3, 'bigint')}, ${lineArray(4, 'bigint')},
  ${lineArray(5, 'bigint')}, ${lineArray(6)}, $7::text[], ${lineArray(8)}, ${lineArray(9)},
  ${[10, 11, 12, 13, 14].map((n) => lineArray(n, 'bigint')).join(', ')}
)
on conflict (tenant_id, minute, seq) do update
set
  at = excluded.at,
  position = excluded.position,
  actor = excluded.actor,
  quota = excluded.quota,
  reserved = h.reserved + excluded.reserved,
  ahead = h.ahead + excluded.ahead,
  released = h.released + excluded.released,
  adopted = h.adopted + excluded.adopted,
  revived = h.revived + excluded.revived`;

const dropOldSql = (history: string) => `
delete from ${history} as h
using unnest(${lineArray(1)}, ${lineArray(2, 'bigint')}, ${lineArray(3, 'bigint')})
  as o (tenant_id, usage_from, decisions_from)
where h.tenant_id = o.tenant_id
  and h.minute < o.usage_from
  and (h.seq = 0 or h.minute < o.decisions_from)`;
