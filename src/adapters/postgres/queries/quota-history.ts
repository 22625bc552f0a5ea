import { z } from 'zod';
import type { TenantQuota } from '../../../domain/tenant-quota/state.ts';
import type { Page } from '../../../projections/queries.ts';
import type {
  QuotaHistoryChange,
  QuotaHistoryRange,
  QuotaHistoryRow,
} from '../../../projections/quota-queries.ts';
import { pageCursors, pageLimit } from './page-cursor.ts';
import { Parameters, type QueryContext, read } from './read.ts';

const MINUTE_MS = 60_000;

const cursors = pageCursors('quota-history', z.tuple([z.int(), z.string().regex(/^\d{1,19}$/)]));

interface StoredLine {
  readonly at: string;
  readonly position: string;
  readonly kind: QuotaHistoryRow['kind'];
  readonly actor: string;
  /** Null for usage, whose figures are columns. */
  readonly details: string | null;
  readonly quota: string;
  readonly reserved: string;
  readonly ahead: string;
  readonly released: string;
  readonly adopted: string;
  readonly revived: string;
}

export async function quotaHistory(
  { pool }: QueryContext,
  tenantId: string,
  range: QuotaHistoryRange,
): Promise<Page<QuotaHistoryRow>> {
  const from = cursors.read(range.cursor);
  const limit = pageLimit(range);
  const parameters = new Parameters();
  const where = [`tenant_id = ${parameters.add(tenantId)}`];
  if (range.from !== undefined) where.push(...bound('>=', range.from, parameters));
  if (range.to !== undefined) where.push(...bound('<', range.to, parameters));
  if (from) {
    const [at, position] = from.key;
    const minute = `${parameters.add(minuteOf(at))}::bigint`;
    const compare = from.towards === 'older' ? '<' : '>';
    where.push(
      `minute ${compare}= ${minute}`,
      `(minute, at, position) ${compare} (${minute}, ${parameters.add(at)}::bigint, ${parameters.add(position)}::bigint)`,
    );
  }
  const order = from?.towards === 'newer' ? 'asc' : 'desc';
  const rows = await read<StoredLine>(
    pool,
    `${SELECT}
where ${where.join('\n  and ')}
order by minute ${order}, at ${order}, position ${order}
limit ${parameters.add(limit + 1)}`,
    parameters.values,
  );
  return cursors.page(
    rows.map((row) => toLine(tenantId, row)),
    from,
    limit,
    ({ at, position }) => [at, position],
  );
}

export async function balanceAt(
  { pool }: QueryContext,
  tenantId: string,
  at: number,
): Promise<QuotaHistoryRow | undefined> {
  const [row] = await read<StoredLine>(pool, BALANCE, [tenantId, minuteOf(at), at]);
  return row && toLine(tenantId, row);
}

const minuteOf = (at: number): number => Math.floor(at / MINUTE_MS) * MINUTE_MS;

/** The minute is what the index knows; it alone would be too coarse. */
function bound(compare: '>=' | '<', at: number, parameters: Parameters): readonly string[] {
  const inclusive = compare === '<' ? '<=' : compare;
  return [`minute ${inclusive} ${parameters.add(minuteOf(at))}`, `at ${compare} ${parameters.add(at)}`];
}

function toLine(tenantId: string, row: StoredLine): QuotaHistoryRow {
  return {
    tenantId,
    at: Number(row.at),
    position: row.position,
    actor: row.actor,
    quota: JSON.parse(row.quota) as TenantQuota,
    ...changeOf(row),
  };
}

function changeOf(row: StoredLine): QuotaHistoryChange {
  if (row.kind !== 'usage')
    return { kind: row.kind, details: JSON.parse(row.details ?? '{}') } as QuotaHistoryChange;
  const { reserved, ahead, released, adopted, revived } = row;
  return {
    kind: 'usage',
    details: {
      reserved: Number(reserved),
      ahead: Number(ahead),
      released: Number(released),
      adopted: Number(adopted),
      revived: Number(revived),
    },
  };
}

const SELECT = `
select at, position, kind, actor, details, quota, reserved, ahead, released, adopted, revived
from quota_history`;

const BALANCE = `${SELECT}
where tenant_id = $1
  and minute <= $2
  and at <= $3
order by minute desc, at desc, position desc
limit 1`;
