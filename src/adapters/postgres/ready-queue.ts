import type pg from 'pg';
import type {
  Arrivals,
  Blocked,
  DueTimer,
  LeaseSlot,
  ReadyQueue,
  Reserved,
  TenantTake,
} from '../../commands/ready-queue.ts';
import { setQueueTo, setTenant } from '../../projections/dispatch-settings.ts';
import { columns, placeAhead, placeJobs } from '../../projections/place-jobs.ts';
import { leaseTable } from './ready-queue-leases.ts';
import { workerRegister } from './ready-queue-workers.ts';

/** The dispatch tables of migrations 0003, 0010 and 0015. Plans are fixed by their functions. */
export function postgresReadyQueue(pool: pg.Pool): ReadyQueue {
  return {
    async arrivals(afterBlock) {
      const { rows } = await pool.query<ArrivalRow>({
        name: 'ready_since',
        text: READY_SINCE,
        values: [afterBlock, MAX_ARRIVALS],
      });
      return toArrivals(rows, afterBlock, false);
    },

    async lanes() {
      const { rows } = await pool.query<ArrivalRow>(READY_LANES);
      // Read after the block, so that no change falls between.
      const weights = await pool.query<WeightRow>(WEIGHTS);
      return { ...toArrivals(rows, 0, true), weights: weights.rows };
    },

    async reserve(takes, slots, leaseExpiresAt, now) {
      const { rows } = await pool.query<ClaimRow>({
        name: 'claim_ready',
        text: CLAIM,
        values: [
          now,
          laneColumns(takes),
          takes.map((take) => take.quota),
          slotColumns(slots),
          leaseExpiresAt,
        ],
      });
      const reserved: Reserved[] = [];
      const blocked: Blocked[] = [];
      for (const row of rows) {
        if (row.blocked === null) reserved.push(toReserved(row));
        else blocked.push(toBlocked(row));
      }
      return { reserved, blocked };
    },

    async held(tenantIds, now) {
      const { rows } = await pool.query<HeldRow>({
        name: 'held_tenants',
        text: HELD,
        values: [now, tenantIds.join('\n')],
      });
      return rows.map(({ tenant_id: tenantId, blocked: reason, until_ms }) => ({
        tenantId,
        reason,
        granted: 0,
        until: until_ms === null ? undefined : Number(until_ms),
      }));
    },

    place: (placements, now, withdrawn) => placeJobs(pool, placements, now, withdrawn),

    overtake: (placements, now) => placeAhead(pool, placements, now),

    setQueue: (settings, now) => setQueueTo(pool, settings, now),

    setTenant: (settings, now) => setTenant(pool, settings, now),

    async placedThrough() {
      const { rows } = await pool.query<{ position: string }>({ name: 'placed_through', text: PLACED });
      return rows[0] && BigInt(rows[0].position);
    },

    async fireReadyTimers(now, after, limit) {
      const { rows } = await pool.query<{ fired: number }>({
        name: 'fire_ready_timers',
        text: FIRE_READY,
        values: [now, after, limit],
      });
      return rows[0]?.fired ?? 0;
    },

    async takeDueTimers(now, after, again, limit) {
      const { rows } = await pool.query<TimerRow>({
        name: 'take_due_timers',
        text: TAKE_DUE,
        values: [now, after, again, limit],
      });
      return rows.map((row) => ({
        tenantId: row.tenant_id,
        jobId: row.job_id,
        kind: row.kind,
        leaseId: row.lease_id ?? undefined,
      }));
    },

    async pruneArrivals(before) {
      await pool.query(PRUNE_ARRIVALS, [before]);
      await pool.query(PRUNE_SLOT_CHANGES);
    },

    ...leaseTable(pool),
    ...workerRegister(pool),
  };
}

/** Rows of arrivals read at once; more than a block holds. */
const MAX_ARRIVALS = 20_000;

interface ArrivalRow {
  readonly epoch: string | null;
  readonly block: string | null;
  readonly tenant_id: string | null;
  readonly queue: string | null;
  readonly type: string | null;
  readonly priority: number | null;
  readonly weight?: number | null;
}

interface WeightRow {
  readonly tenantId: string;
  readonly weight: number;
}

interface BlockedRow {
  readonly blocked: Blocked['reason'];
  readonly tenant_id: string;
  readonly queue: string | null;
  readonly type: string;
  readonly priority: number;
  readonly granted: number;
  readonly until_ms: string | null;
}

type HeldRow = Pick<BlockedRow, 'tenant_id' | 'blocked' | 'until_ms'>;

interface ReservedRow {
  readonly blocked: null;
  readonly slot: number;
  readonly tenant_id: string;
  readonly queue: string;
  readonly type: string;
  readonly priority: number;
  readonly seq: string;
  readonly job_id: string;
  readonly revision: number;
  readonly snapshot: string | null;
}

type ClaimRow = ReservedRow | BlockedRow;

interface TimerRow {
  readonly tenant_id: string;
  readonly job_id: string;
  readonly kind: DueTimer['kind'];
  readonly lease_id: string | null;
}

function toArrivals(rows: readonly ArrivalRow[], afterBlock: number, whole: boolean): Arrivals {
  let block = afterBlock;
  const lanes: Arrivals['lanes'][number][] = [];
  const changedTenants: string[] = [];
  const weights: Arrivals['weights'][number][] = [];
  for (const { block: rowBlock, tenant_id: tenantId, queue, type, priority, weight } of rows) {
    block = Math.max(block, Number(rowBlock ?? 0));
    if (tenantId === null) continue;
    if (typeof weight === 'number') weights.push({ tenantId, weight });
    if (queue === null || type === null || priority === null) changedTenants.push(tenantId);
    else lanes.push({ tenantId, queue, type, priority });
  }
  // The last block of a full page may be cut off: it is read again.
  const more = !whole && rows.length >= MAX_ARRIVALS;
  if (more) block -= 1;
  return { epoch: rows[0]?.epoch ?? undefined, block, lanes, changedTenants, weights, whole, more };
}

function toBlocked(row: BlockedRow): Blocked {
  const { tenant_id: tenantId, queue, type, priority, blocked: reason, granted } = row;
  return {
    tenantId,
    lane: queue === null ? undefined : { tenantId, queue, type, priority },
    reason,
    granted,
    until: row.until_ms === null ? undefined : Number(row.until_ms),
  };
}

function toReserved(row: ReservedRow): Reserved {
  return {
    slot: row.slot - 1,
    tenantId: row.tenant_id,
    queue: row.queue,
    type: row.type,
    priority: row.priority,
    seq: Number(row.seq),
    jobId: row.job_id,
    revision: row.revision,
    snapshot: row.snapshot ?? undefined,
  };
}

const laneColumns = (takes: readonly TenantTake[]): string =>
  columns(
    takes.flatMap((take, index) =>
      take.lanes.map((lane) => [lane.tenantId, lane.queue, lane.type, lane.priority, lane.floor, index + 1]),
    ),
  );

const slotColumns = (slots: readonly LeaseSlot[]): string =>
  columns(slots.map(({ workerId, leaseId }) => [workerId.replaceAll(/\p{Cc}/gu, ' '), leaseId]));

const READY_SINCE = `
select epoch, block, tenant_id, queue, type, priority, weight
from ready_since($1, $2)`;

const READY_LANES = `
select d.epoch, a.block, l.tenant_id, l.queue, l.type, l.priority
from (select (select epoch from dispatch_epoch) as epoch) as d
cross join (select coalesce(max(block), 0) as block from ready_arrivals) as a
left join lateral ready_lanes() as l on true`;

const WEIGHTS = `
select tenant_id as "tenantId", weight
from tenant_settings
where weight <> 1`;

const CLAIM = `
select slot, tenant_id, queue, type, priority, seq, job_id, revision, snapshot, blocked, granted, until_ms
from claim_ready($1, $2, $3, $4, $5)`;

const HELD = `
select tenant_id, blocked, until_ms
from held_tenants($1, $2)`;

const PLACED = `
select c.position
from projection_generations as g
join projection_checkpoints_unlogged as c using (projection, generation)
where g.projection = 'ready-jobs'
  and g.status = 'live'`;

const FIRE_READY = `
select fire_ready_timers($1, $2, $3) as fired`;

const TAKE_DUE = `
select tenant_id, job_id, kind, lease_id
from take_due_timers($1, $2, $3, $4)`;

const PRUNE_ARRIVALS = `
delete from ready_arrivals
where at_ms < $1`;

const PRUNE_SLOT_CHANGES = `
delete from slot_changes as c
where c.block <= (
  select n.through
  from slot_counts as n
  where n.tenant_id = c.tenant_id and n.queue = c.queue
  order by n.version desc
  limit 1
)`;
