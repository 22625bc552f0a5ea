import type pg from 'pg';
import type { LeaseKey, ReadyQueue, StoredLease } from '../../commands/ready-queue.ts';

type LeaseTable = Pick<ReadyQueue, 'extendLeases' | 'expiredLeases' | 'endLeases' | 'prolongAll'>;

export function leaseTable(pool: pg.Pool): LeaseTable {
  return {
    async extendLeases(leases, until) {
      const { rows } = await pool.query<ExtendRow>({
        name: 'extend_leases',
        text: EXTEND,
        values: [...keyColumns(leases), until],
      });
      const outcomes: ('extended' | 'cancel_requested' | 'ending' | undefined)[] = leases.map(
        () => undefined,
      );
      for (const row of rows) {
        const outcome = row.cancel_requested ? 'cancel_requested' : 'extended';
        outcomes[Number(row.place) - 1] = row.expiring ? 'ending' : outcome;
      }
      return outcomes;
    },

    async expiredLeases(now, after, limit) {
      const { rows } = await pool.query<LeaseRow>({
        name: 'expired_leases',
        text: EXPIRED,
        values: [now, after, limit],
      });
      return rows.map(toStoredLease);
    },

    async endLeases(leases, now) {
      const { rows } = await pool.query<{ place: string }>({
        name: 'end_leases',
        text: END,
        values: [...keyColumns(leases), now],
      });
      const places = new Set(rows.map((row) => Number(row.place) - 1));
      return leases.filter((_, index) => places.has(index));
    },

    async prolongAll(until) {
      await pool.query(PROLONG_ALL, [until]);
    },
  };
}

interface ExtendRow {
  readonly place: string;
  readonly expiring: boolean;
  readonly cancel_requested: boolean;
}

interface LeaseRow {
  readonly tenant_id: string;
  readonly job_id: string;
  readonly lease_id: string;
  readonly expires_at: string;
  readonly settled: boolean;
}

const toStoredLease = (row: LeaseRow): StoredLease => ({
  tenantId: row.tenant_id,
  jobId: row.job_id,
  leaseId: row.lease_id,
  expiresAt: Number(row.expires_at),
  settled: row.settled,
});

const keyColumns = (leases: readonly LeaseKey[]): readonly string[] => [
  leases.map((lease) => lease.tenantId).join('\n'),
  leases.map((lease) => lease.jobId).join('\n'),
  leases.map((lease) => lease.leaseId).join('\n'),
];

const EXTEND = `
select place, expiring, cancel_requested
from extend_leases($1, $2, $3, $4)`;

const EXPIRED = `
select tenant_id, job_id, lease_id, expires_at, settled
from expired_leases($1, $2, $3)`;

const END = `
select place
from end_leases($1, $2, $3, $4)`;

const PROLONG_ALL = `
update leases
set expires_at = $1
where expires_at < $1
  and not expiring`;
