import type { AccountChange } from './fold-quotas.ts';
import { lineArray, lines } from './line-columns.ts';
import type { ProjectionTable, ProjectionWrite } from './projection.ts';

/** Reservations whose job has not been seen. Few: a job is created right after its reservation. */
export const quotaPendingTable: ProjectionTable = {
  name: 'quota_pending',
  create: (table) => `
create table ${table} (
  tenant_id text collate "C" not null,
  job_id text collate "C" not null,
  reservation_id text collate "C" not null,
  position bigint not null,
  at bigint not null,
  primary key (tenant_id, job_id, reservation_id)
)`,
  indexes: (table) => [`create index ${table}_age on ${table} (at)`],
};

/** How many rows of a tenant there are more than before, and which slots came free by it. */
export interface PendingChange {
  rows: number;
  released: number;
}

/**
 * Rows that outlive the batch come, rows that it resolves go. Tenants that are known to have no rows are not asked for
 * any: most jobs are created in the batch that reserves them.
 */
export async function writePending(
  changes: readonly AccountChange[],
  rowsBefore: (tenantId: string) => number,
  write: ProjectionWrite,
): Promise<ReadonlyMap<string, PendingChange>> {
  const counts = new Map<string, PendingChange>();
  const add = (tenantId: string, rows: number, released: number) => {
    const count = counts.get(tenantId) ?? { rows: 0, released: 0 };
    counts.set(tenantId, { rows: count.rows + rows, released: count.released + released });
  };
  const withRows = changes.filter(({ tenantId }) => rowsBefore(tenantId) > 0);
  for (const gone of await remove(withRows, write)) {
    add(gone.tenant_id, -gone.rows, gone.others);
  }
  const added = changes.flatMap(({ pending }) => [...pending.values()].flat());
  if (added.length > 0) {
    const table = write.table('quota_pending');
    await write.client.query({
      name: `insert ${table}`,
      text: insertSql(table),
      values: [
        lines(added, ({ tenantId }) => tenantId),
        lines(added, ({ jobId }) => jobId),
        lines(added, ({ reservationId }) => reservationId),
        lines(added, ({ position }) => `${position}`),
        lines(added, ({ at }) => at),
      ],
    });
    for (const { tenantId } of added) add(tenantId, 1, 0);
  }
  return counts;
}

interface Gone {
  readonly tenant_id: string;
  readonly rows: number;
  /** Reserved for a job that came under another reservation, under none, or not at all. */
  readonly others: number;
}

async function remove(
  changes: readonly AccountChange[],
  { client, table }: ProjectionWrite,
): Promise<readonly Gone[]> {
  const created = changes.flatMap(({ tenantId, created }) => created.map((job) => ({ tenantId, ...job })));
  const freed = changes.flatMap(({ tenantId, freed }) => freed.map((slot) => ({ tenantId, ...slot })));
  const pending = table('quota_pending');
  const gone: Gone[] = [];
  if (freed.length > 0) {
    const { rows } = await client.query<Gone>({
      name: `free ${pending}`,
      text: freeSql(pending),
      values: [
        lines(freed, ({ tenantId }) => tenantId),
        lines(freed, ({ jobId }) => jobId),
        lines(freed, ({ reservationId }) => reservationId),
      ],
    });
    gone.push(...rows);
  }
  if (created.length > 0) {
    const { rows } = await client.query<Gone>({
      name: `resolve ${pending}`,
      text: resolveSql(pending),
      values: [
        lines(created, ({ tenantId }) => tenantId),
        lines(created, ({ jobId }) => jobId),
        lines(created, ({ reservationId }) => reservationId),
      ],
    });
    gone.push(...rows);
  }
  return gone;
}

const resolveSql = (pending: string) => `
with gone as (
  delete from ${pending} as p
  using unnest(${lineArray(1)}, ${lineArray(2)}, ${lineArray(3)}) as c (tenant_id, job_id, reservation_id)
  where p.tenant_id = c.tenant_id
    and p.job_id = c.job_id
  returning p.tenant_id, p.reservation_id is distinct from c.reservation_id as other
)
select tenant_id, count(*)::int as rows, (count(*) filter (where other))::int as others
from gone
group by tenant_id`;

const freeSql = (pending: string) => `
with gone as (
  delete from ${pending} as p
  using unnest(${lineArray(1)}, ${lineArray(2)}, ${lineArray(3)}) as f (tenant_id, job_id, reservation_id)
  where p.tenant_id = f.tenant_id
    and p.job_id = f.job_id
    and p.reservation_id = f.reservation_id
  returning p.tenant_id
)
select tenant_id, count(*)::int as rows, 0 as others
from gone
group by tenant_id`;

const insertSql = (pending: string) => `
insert into ${pending} (tenant_id, job_id, reservation_id, position, at)
select *
from unnest(
  ${lineArray(1)}, ${lineArray(2)}, ${lineArray(3)}, ${lineArray(4, 'bigint')}, ${lineArray(5, 'bigint')}
)`;
