import { decodeEvent } from '../../src/commands/decode-event.ts';
import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import { type EventLog, LOG_START, type Position } from '../../src/commands/ports.ts';
import { jobDecider } from '../../src/domain/job/decider.ts';
import type { Job } from '../../src/domain/job/state.ts';
import type { QuotaLimits } from '../../src/domain/tenant-quota/limits.ts';
import type { TenantQuota } from '../../src/domain/tenant-quota/state.ts';

const UNFINISHED: readonly string[] = ['scheduled', 'queued', 'running', 'retrying'];

/** What is really so for one tenant, by all of its streams; knows nothing of projections. */
export class QuotaTruth {
  readonly #log: EventLog;
  #position: Position = LOG_START;
  readonly jobs = new Map<string, Job>();
  /** As the latest event carries it. */
  carried: TenantQuota | undefined;
  /** The same number, from what the events say they changed. */
  folded = 0;
  /** Reserved for jobs that are neither there nor void. */
  outstanding: { readonly jobId: string; readonly reservationId: string }[] = [];
  readonly reservedOn = new Map<number, number>();
  /** Positions at which jobs came that no reservation was made for, or came back. */
  #uncounted: Position[] = [];
  /** Reservations that went above the limit of that moment. */
  readonly excesses: string[] = [];

  constructor(log: EventLog) {
    this.#log = log;
  }

  get unfinished(): number {
    return [...this.jobs.values()].filter(({ status }) => UNFINISHED.includes(status)).length;
  }

  /** Slots that the stream says are taken, and those it has not been told of yet. */
  get held(): number {
    return (this.carried?.unfinished ?? 0) + this.#uncounted.length;
  }

  ofStatus(...statuses: readonly Job['status'][]): readonly string[] {
    return [...this.jobs].filter(([, { status }]) => statuses.includes(status)).map(([jobId]) => jobId);
  }

  async look(): Promise<void> {
    for (;;) {
      const page = await this.#log.readLog(this.#position, 1_000);
      for (const stored of page.events) {
        const entry = decodeEvent(stored);
        if (entry) this.#apply(entry);
      }
      this.#position = page.position;
      if (page.caughtUp) return;
    }
  }

  #apply(entry: DecodedEvent): void {
    if (entry.aggregate === 'tenant_quota') this.#applyQuota(entry);
    if (entry.aggregate !== 'job') return;
    const { jobId, event, metadata, position } = entry;
    const before = this.jobs.get(jobId) ?? jobDecider.initial();
    this.jobs.set(jobId, jobDecider.evolve(before, event, metadata.occurredAt));
    if (event.type === 'JobEnqueued' || event.type === 'JobVoided')
      this.outstanding = this.outstanding.filter((slot) => slot.jobId !== jobId);
    const adopted = event.type === 'JobEnqueued' && event.data.reservationId === undefined;
    const revived =
      event.type === 'DeadLetterReplayed' || (event.type === 'JobRetried' && before.status === 'cancelled');
    if (adopted || revived) this.#uncounted.push(position);
  }

  #applyQuota({ event }: Extract<DecodedEvent, { readonly aggregate: 'tenant_quota' }>): void {
    const { after } = event.data;
    this.carried = after;
    if (event.type === 'QuotaReserved') {
      const { jobIds, reservationId } = event.data;
      this.folded += jobIds.length;
      this.reservedOn.set(after.day, (this.reservedOn.get(after.day) ?? 0) + jobIds.length);
      const ahead = jobIds.filter((jobId) => !this.jobs.has(jobId));
      this.outstanding.push(...ahead.map((jobId) => ({ jobId, reservationId })));
      this.excesses.push(...excessesOf(after, after.terms.limits));
    }
    if (event.type === 'QuotaReleased') {
      const { through, released, adopted, revived } = event.data;
      this.folded += adopted + revived - released;
      this.#uncounted = this.#uncounted.filter((position) => position > BigInt(through));
    }
  }
}

function excessesOf(quota: TenantQuota, { unfinishedJobs, jobsPerDay }: QuotaLimits): readonly string[] {
  const excesses: string[] = [];
  if (unfinishedJobs !== null && quota.unfinished > unfinishedJobs)
    excesses.push(`${quota.unfinished} unfinished of ${unfinishedJobs}`);
  if (jobsPerDay !== null && quota.usedToday > jobsPerDay)
    excesses.push(`${quota.usedToday} today of ${jobsPerDay}`);
  return excesses;
}
