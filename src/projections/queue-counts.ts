import type { JobStatus } from '../domain/job/state.ts';
import { lineArray, lines } from './line-columns.ts';
import type { ProjectionTable, ProjectionWrite } from './projection.ts';

const STATUSES = [
  'scheduled',
  'queued',
  'running',
  'retrying',
  'completed',
  'cancelled',
  'dead_lettered',
  'purged',
] as const satisfies readonly JobStatus[];

/** Jobs of each queue by stored status. Written with the rows it counts, in one transaction, so it is never counted. */
export const queueCountsTable: ProjectionTable = {
  name: 'queue_counts',
  create: (table) => `
create table ${table} (
  tenant_id text collate "C" not null,
  queue text collate "C" not null,
  ${STATUSES.map((status) => `${status} bigint not null`).join(',\n  ')},
  primary key (tenant_id, queue)
) with (fillfactor = 50)`,
  indexes: () => [],
};

/** Jobs that came into a place (tenant, queue, status) or went from it, as the database counted them. */
export interface JobMoves {
  readonly tenant_id: string;
  readonly queue: string;
  readonly status: JobStatus;
  readonly old_queue: string | null;
  readonly old_status: JobStatus | null;
  readonly jobs: number;
}

interface Delta {
  readonly tenantId: string;
  readonly queue: string;
  readonly by: Map<JobStatus, number>;
}

/** Brings the counts up to date with what really changed. */
export async function countMoves(moves: readonly JobMoves[], write: ProjectionWrite): Promise<void> {
  const deltas = new Map<string, Delta>();
  const add = (tenantId: string, queue: string, status: JobStatus, jobs: number) => {
    const key = `${tenantId}.${queue}`;
    let delta = deltas.get(key);
    if (!delta) {
      delta = { tenantId, queue, by: new Map() };
      deltas.set(key, delta);
    }
    delta.by.set(status, (delta.by.get(status) ?? 0) + jobs);
  };
  let moved = false;
  for (const { tenant_id, queue, status, old_queue, old_status, jobs } of moves) {
    add(tenant_id, queue, status, jobs);
    if (old_queue !== null && old_status !== null) {
      add(tenant_id, old_queue, old_status, -jobs);
      moved ||= old_queue !== queue;
    }
  }
  const rows = [...deltas.values()].filter(({ by }) => [...by.values()].some((jobs) => jobs !== 0));
  if (rows.length === 0) return;
  const table = write.table('queue_counts');
  const keys = [lines(rows, ({ tenantId }) => tenantId), lines(rows, ({ queue }) => queue)];
  const amounts = STATUSES.map((status) => lines(rows, ({ by }) => by.get(status) ?? 0));
  await write.client.query({ name: `add ${table}`, text: addUp(table), values: [...keys, ...amounts] });
  if (moved) await write.client.query({ text: dropEmptyRows(table), values: keys });
}

const addUp = (table: string) => `
insert into ${table} as c (tenant_id, queue, ${STATUSES.join(', ')})
select *
from unnest(
  ${lineArray(1)}, ${lineArray(2)},
  ${STATUSES.map((_, index) => lineArray(index + 3, 'bigint')).join(', ')}
)
on conflict (tenant_id, queue) do update
set ${STATUSES.map((status) => `${status} = c.${status} + excluded.${status}`).join(', ')}`;

/** Replayed into another queue: a queue that nothing is left of must not look otherwise than if it had never been. */
const dropEmptyRows = (table: string) => `
delete from ${table} as c
using unnest(${lineArray(1)}, ${lineArray(2)}) as k (tenant_id, queue)
where c.tenant_id = k.tenant_id
  and c.queue = k.queue
  and ${STATUSES.map((status) => `c.${status} = 0`).join(' and ')}`;
