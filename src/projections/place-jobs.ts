import type { ClientBase } from 'pg';
import type { Placement } from '../commands/placement.ts';
import type { LeaseKey } from '../commands/ready-queue.ts';
import { unreachable } from '../domain/decider.ts';
import type { Statement } from './projection.ts';

type Cell = string | number | boolean;
type Row = readonly Cell[];

/** A block of the line has 65,536 places; fewer jobs a call also keep the placing lock short. */
const MAX_PLACEMENTS = 5_000;

/** What a call of place_jobs takes; one list for each of its parameters. */
interface Rows {
  readonly moved: Row[];
  readonly ready: Row[];
  readonly lanes: Map<string, Row>;
  readonly timed: Row[];
  readonly running: Row[];
  readonly cancelling: Row[];
}

/**
 * Puts jobs where they belong in the dispatch tables, one round trip for each 5,000. Rows carry the revision they follow
 * from and never go back, so it may be repeated and may race with claims. `withdrawn` leases go first, unless they were
 * extended past the given expiry. At most one placement a job.
 */
export async function placeJobs(
  client: Pick<ClientBase, 'query'>,
  placements: readonly Placement[],
  now: number,
  withdrawn: readonly (LeaseKey & { readonly expiresAt: number })[] = [],
): Promise<void> {
  let leases = columns(withdrawn.map((w) => [w.tenantId, w.jobId, w.leaseId, w.expiresAt]));
  for (let at = 0; at < placements.length || leases !== ''; at += MAX_PLACEMENTS) {
    const part = placements.slice(at, at + MAX_PLACEMENTS);
    await client.query({ name: 'place_jobs', text: PLACE, values: valuesOf(part, now, leases) });
    leases = '';
  }
}

/** The same as one statement; undefined when there is nothing to place, or too much for one. */
export function placeJobsStatement(placements: readonly Placement[], now: number): Statement | undefined {
  if (placements.length === 0 || placements.length > MAX_PLACEMENTS) return undefined;
  return { name: 'place_jobs', text: PLACE, values: valuesOf(placements, now, '') };
}

/** In one statement only if the line is not being filled anew; at most 5,000 placements. True when it was done. */
export async function placeAhead(
  client: Pick<ClientBase, 'query'>,
  placements: readonly Placement[],
  now: number,
): Promise<boolean> {
  const values = valuesOf(placements.slice(0, MAX_PLACEMENTS), now, '');
  const { rowCount } = await client.query({ name: 'place_jobs_ahead', text: PLACE_AHEAD, values });
  return rowCount === 1;
}

function valuesOf(placements: readonly Placement[], now: number, leases: string): (string | number)[] {
  const rows: Rows = { moved: [], ready: [], lanes: new Map(), timed: [], running: [], cancelling: [] };
  for (const placement of placements) addRows(rows, placement, now);
  const values = [now, leases, columns(rows.moved), columns(rows.ready), columns([...rows.lanes.values()])];
  values.push(columns(rows.timed), columns(rows.running), columns(rows.cancelling));
  return values;
}

function addRows(rows: Rows, p: Placement, now: number): void {
  const clear = (revision: number, stays: { readonly lease: boolean }) => {
    if (p.isNew) return;
    const deadlineStays = p.deadlineAt === undefined && p.kind !== 'gone';
    const letter = stays.lease ? (deadlineStays ? 'b' : 'l') : deadlineStays ? 'd' : 'n';
    rows.moved.push([p.tenantId, p.jobId, revision, letter]);
  };
  const timer = (kind: string, dueAt: number, leaseId = '') =>
    rows.timed.push([p.tenantId, p.jobId, kind, Math.max(dueAt, now), p.revision, '', '', '', '', leaseId]);

  switch (p.kind) {
    case 'ready':
      clear(p.revision, { lease: false });
      rows.ready.push([p.tenantId, p.jobId, p.revision, p.queue, p.type, p.priority, p.snapshot ?? '']);
      rows.lanes.set(`${p.tenantId} ${p.queue} ${p.type} ${p.priority}`, [
        p.tenantId,
        p.queue,
        p.type,
        p.priority,
      ]);
      break;
    case 'waiting': {
      clear(p.revision, { lease: false });
      const { tenantId, jobId, runAt, revision, queue, type, priority, snapshot = '' } = p;
      rows.timed.push([tenantId, jobId, 'ready', runAt, revision, queue, type, priority, snapshot, '']);
      break;
    }
    case 'running': {
      // Timers that the claim set have this revision and are not known here unless all is.
      clear(p.settled ? p.revision : p.revision - 1, { lease: true });
      const { workerId, leaseId, expiresAt, settled, forceCancelAt } = p;
      const worker = workerId.replaceAll(/\p{Cc}/gu, ' ');
      const cancelling = forceCancelAt !== undefined;
      rows.running.push([
        p.tenantId,
        p.jobId,
        p.revision,
        p.queue,
        worker,
        leaseId,
        expiresAt,
        settled,
        cancelling,
      ]);
      if (p.timeoutAt !== undefined) timer('attempt_timeout', p.timeoutAt, leaseId);
      if (cancelling) timer('cancel_grace', forceCancelAt);
      break;
    }
    case 'cancelling':
      rows.cancelling.push([p.tenantId, p.jobId, p.revision]);
      timer('cancel_grace', p.forceCancelAt);
      break;
    case 'unknown':
      timer('reconcile', now);
      break;
    case 'overdue':
    case 'between':
    case 'gone':
      clear(p.revision, { lease: false });
      break;
    default:
      unreachable(p);
  }
  if (typeof p.deadlineAt === 'number' && p.kind !== 'gone') timer('deadline', p.deadlineAt);
}

/** Rows as columns joined by line breaks, columns joined by GS: see migration 0003. */
export function columns(rows: readonly Row[]): string {
  const width = rows[0]?.length ?? 0;
  const texts: string[] = [];
  for (let column = 0; column < width; column += 1) texts.push(rows.map((row) => row[column]).join('\n'));
  return texts.join('\x1d');
}

const PLACE = `
select place_jobs($1, $2, $3, $4, $5, $6, $7, $8)`;

const PLACE_AHEAD = `
select place_jobs($1, $2, $3, $4, $5, $6, $7, $8)
from projection_generations as g
join projection_checkpoints_unlogged as c using (projection, generation)
where g.projection = 'ready-jobs'
  and g.status = 'live'`;
