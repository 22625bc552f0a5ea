import type { DecodedEvent } from '../commands/decoded-event.ts';
import type { Position } from '../commands/ports.ts';
import type { TenantQuota } from '../domain/tenant-quota/state.ts';
import { addToLedger, type LedgerLine } from './quota-ledger.ts';

/** A slot that was reserved for a job which has not been seen yet. */
export interface PendingSlot {
  readonly tenantId: string;
  readonly jobId: string;
  readonly reservationId: string;
  readonly position: Position;
  readonly at: number;
}

/** What a batch of events does to one tenant's account. */
export interface AccountChange {
  readonly tenantId: string;
  /** Position and time of the last event that counts. */
  position: Position;
  at: number;
  /** What jobs did, less what the quota's own events have settled: owed to the quota's stream. */
  released: number;
  adopted: number;
  revived: number;
  /** What the quota's events themselves say, added up. */
  unfinished: number;
  /** The UTC day of the newest job, as days since 1970, and the jobs enqueued on it. */
  day: number;
  enqueued: number;
  latest: { readonly revision: number; readonly quota: TenantQuota } | undefined;
  /** Slots that the batch reserved and did not resolve, by job. */
  readonly pending: Map<string, PendingSlot[]>;
  /** Jobs that have an event 0 now: nothing of what was reserved for them before may stay pending. */
  readonly created: { readonly jobId: string; readonly reservationId: string | undefined }[];
  /** Slots that the quota's stream itself has freed. */
  readonly freed: { readonly jobId: string; readonly reservationId: string }[];
  readonly ledger: Map<string, LedgerLine>;
}

const DAY_MS = 86_400_000;

/** One change for each tenant, however many events there are. */
export function foldQuotas(events: readonly DecodedEvent[]): readonly AccountChange[] {
  const changes = new Map<string, AccountChange>();
  /** Neighbours are mostly of the same tenant. */
  let change: AccountChange | undefined;
  for (const entry of events) {
    if (!counts(entry)) continue;
    if (change?.tenantId !== entry.tenantId) {
      change = changes.get(entry.tenantId) ?? newChange(entry.tenantId);
      changes.set(entry.tenantId, change);
    }
    change.position = entry.position;
    change.at = entry.recordedAt;
    if (entry.aggregate === 'job') foldJob(change, entry);
    else foldQuota(change, entry);
  }
  return [...changes.values()];
}

type JobEntry = Extract<DecodedEvent, { readonly aggregate: 'job' }>;
type QuotaEntry = Extract<DecodedEvent, { readonly aggregate: 'tenant_quota' }>;

function counts(entry: DecodedEvent): entry is JobEntry | QuotaEntry {
  if (entry.aggregate === 'tenant_quota') return true;
  if (entry.aggregate !== 'job') return false;
  switch (entry.event.type) {
    case 'JobEnqueued':
    case 'JobVoided':
    case 'JobCompleted':
    case 'JobCancelled':
    case 'JobDeadLettered':
    case 'DeadLetterReplayed':
      return true;
    case 'JobRetried':
      return entry.event.data.revives === true;
    default:
      return false;
  }
}

function foldJob(change: AccountChange, { jobId, event, metadata }: JobEntry): void {
  switch (event.type) {
    case 'JobEnqueued': {
      const { reservationId } = event.data;
      if (reservationId === undefined) change.adopted += 1;
      resolve(change, jobId, reservationId);
      countToday(change, Math.floor(metadata.occurredAt / DAY_MS));
      return;
    }
    case 'JobVoided':
      resolve(change, jobId, undefined);
      return;
    case 'JobCompleted':
    case 'JobCancelled':
    case 'JobDeadLettered':
      change.released += 1;
      return;
    case 'DeadLetterReplayed':
    case 'JobRetried':
      change.revived += 1;
      return;
    default:
  }
}

/** A job has one slot at most: whatever else was reserved for it is free again. */
function resolve(change: AccountChange, jobId: string, reservationId: string | undefined): void {
  change.created.push({ jobId, reservationId });
  const waiting = change.pending.get(jobId);
  if (!waiting) return;
  for (const slot of waiting) if (slot.reservationId !== reservationId) change.released += 1;
  change.pending.delete(jobId);
}

function countToday(change: AccountChange, day: number): void {
  if (day > change.day) {
    change.day = day;
    change.enqueued = 0;
  }
  if (day === change.day) change.enqueued += 1;
}

function foldQuota(change: AccountChange, entry: QuotaEntry): void {
  const { event, revision } = entry;
  change.latest = { revision, quota: event.data.after };
  if (event.type === 'QuotaReserved') reserve(change, entry, event.data);
  if (event.type === 'QuotaReleased') {
    const { released, adopted, revived, duplicates } = event.data;
    // Nobody but the quota's stream knows of the duplicates, so they were never owed to it.
    change.released -= released - duplicates.length;
    change.adopted -= adopted;
    change.revived -= revived;
    change.unfinished += adopted + revived - released;
    for (const slot of duplicates) free(change, slot);
  }
  addToLedger(change.ledger, entry);
}

function reserve(
  change: AccountChange,
  { tenantId, position, recordedAt: at }: QuotaEntry,
  { reservationId, jobIds }: { readonly reservationId: string; readonly jobIds: readonly string[] },
): void {
  change.unfinished += jobIds.length;
  for (const jobId of jobIds) {
    const slot = { tenantId, jobId, reservationId, position, at };
    const waiting = change.pending.get(jobId);
    if (!waiting) change.pending.set(jobId, [slot]);
    else if (waiting.some((other) => other.reservationId === reservationId)) change.released += 1;
    else waiting.push(slot);
  }
}

function free(change: AccountChange, slot: AccountChange['freed'][number]): void {
  const waiting = change.pending.get(slot.jobId);
  const index = waiting?.findIndex(({ reservationId }) => reservationId === slot.reservationId) ?? -1;
  if (!waiting || index < 0) {
    change.freed.push(slot);
    return;
  }
  waiting.splice(index, 1);
  if (waiting.length === 0) change.pending.delete(slot.jobId);
}

const newChange = (tenantId: string): AccountChange => ({
  tenantId,
  position: 0n,
  at: 0,
  released: 0,
  adopted: 0,
  revived: 0,
  unfinished: 0,
  day: 0,
  enqueued: 0,
  latest: undefined,
  pending: new Map(),
  created: [],
  freed: [],
  ledger: new Map(),
});
