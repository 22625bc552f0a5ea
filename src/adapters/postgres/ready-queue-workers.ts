import type pg from 'pg';
import type { ReadyQueue, WorkerDirective } from '../../commands/ready-queue.ts';

/** Who works, and what they are told to do. */
export function workerRegister(
  pool: pg.Pool,
): Pick<ReadyQueue, 'sawWorker' | 'directWorker' | 'listWorkers' | 'forgetWorkers'> {
  return {
    async sawWorker(scopes, workerId, now) {
      const { rows } = await pool.query<{ directive: WorkerDirective }>(SAW, [
        [...scopes].sort(),
        workerId,
        now,
      ]);
      const told = rows.map((row) => row.directive);
      if (told.includes('terminate')) return 'terminate';
      return told.includes('quiet') ? 'quiet' : 'run';
    },

    async directWorker(tenantId, workerId, directive) {
      const { rowCount } = await pool.query(DIRECT, [tenantId, workerId, directive]);
      return rowCount === 1;
    },

    async forgetWorkers(before) {
      await pool.query(FORGET, [before]);
    },

    async listWorkers(tenantId, seenAfter) {
      const { rows } = await pool.query<WorkerTableRow>(LIST, [tenantId, seenAfter]);
      return rows.map((row) => ({
        tenantId: row.tenant_id,
        workerId: row.worker_id,
        lastSeenAt: Number(row.last_seen_at),
        directive: row.directive,
      }));
    },
  };
}

interface WorkerTableRow {
  readonly tenant_id: string;
  readonly worker_id: string;
  readonly last_seen_at: string;
  readonly directive: WorkerDirective;
}

const SAW = `
insert into workers as w (tenant_id, worker_id, last_seen_at)
select scope, $2, $3
from unnest($1::text[]) as scope
on conflict (tenant_id, worker_id) do update
set last_seen_at = greatest(w.last_seen_at, excluded.last_seen_at)
returning directive`;

const DIRECT = `
update workers
set directive = $3
where tenant_id = $1
  and worker_id = $2`;

const FORGET = `
delete from workers
where last_seen_at < $1
  and directive = 'run'`;

const LIST = `
select tenant_id, worker_id, last_seen_at, directive
from workers
where tenant_id = $1
  and last_seen_at > $2
order by worker_id
limit 1000`;
