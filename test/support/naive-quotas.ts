import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import type { OverdueSlot, QuotaAccount, QuotaAccounts } from '../../src/commands/quota-accounts.ts';
import type { TenantQuota } from '../../src/domain/tenant-quota/state.ts';

/** One tenant's account, counted event by event without a thought for speed. */
export interface NaiveAccount {
  pending: OverdueSlot[];
  released: number;
  adopted: number;
  revived: number;
  /** The changes that the quota's events say they made, added up. */
  unfinished: number;
  position: string;
  at: number;
  latest: { readonly quota: TenantQuota; readonly revision: number } | undefined;
}

/** The quota-usage read model as its specification says it, and the port over it. */
export class NaiveQuotas implements QuotaAccounts {
  readonly accounts = new Map<string, NaiveAccount>();

  apply(entry: DecodedEvent): void {
    if (entry.aggregate === 'job') this.#job(entry);
    if (entry.aggregate === 'tenant_quota') this.#quota(entry);
  }

  async unsettled(): Promise<readonly QuotaAccount[]> {
    return [...this.accounts].flatMap(([tenantId, account]) => {
      const { released, adopted, revived, latest } = account;
      const owes = released !== 0 || adopted !== 0 || revived !== 0 || latest?.quota.settledThrough === '0';
      return owes ? toAccounts(tenantId, account) : [];
    });
  }

  async overdue(before: number): Promise<readonly OverdueSlot[]> {
    return [...this.accounts.values()].flatMap(({ pending }) => pending.filter(({ at }) => at <= before));
  }

  async waiting(slots: Parameters<QuotaAccounts['waiting']>[0]) {
    return [...this.accounts].flatMap(([tenantId, account]) => {
      const waiting = account.pending.filter((slot) =>
        slots.some((asked) => asked.jobId === slot.jobId && asked.reservationId === slot.reservationId),
      );
      if (waiting.length === 0) return [];
      return toAccounts(tenantId, account).map((found) => ({ account: found, waiting }));
    });
  }

  async withOlderDay(today: number): Promise<readonly string[]> {
    return [...this.accounts].flatMap(([tenantId, { latest }]) => {
      const { day, usedToday, usedAhead } = latest?.quota ?? { day: today, usedToday: 0, usedAhead: 0 };
      return day < today && usedToday + usedAhead > 0 ? [tenantId] : [];
    });
  }

  #of({ tenantId, position, recordedAt }: DecodedEvent): NaiveAccount {
    const account = this.accounts.get(tenantId) ?? {
      pending: [],
      released: 0,
      adopted: 0,
      revived: 0,
      unfinished: 0,
      position: '0',
      at: 0,
      latest: undefined,
    };
    this.accounts.set(tenantId, account);
    account.position = `${position}`;
    account.at = recordedAt;
    return account;
  }

  #job(entry: Extract<DecodedEvent, { readonly aggregate: 'job' }>): void {
    const { event, jobId } = entry;
    switch (event.type) {
      case 'JobEnqueued':
      case 'JobVoided': {
        const account = this.#of(entry);
        const own = event.type === 'JobEnqueued' ? event.data.reservationId : undefined;
        if (event.type === 'JobEnqueued' && own === undefined) account.adopted += 1;
        const mine = account.pending.filter((slot) => slot.jobId === jobId);
        account.released += mine.filter((slot) => slot.reservationId !== own).length;
        account.pending = account.pending.filter((slot) => !mine.includes(slot));
        return;
      }
      case 'JobCompleted':
      case 'JobCancelled':
      case 'JobDeadLettered':
        this.#of(entry).released += 1;
        return;
      case 'DeadLetterReplayed':
        this.#of(entry).revived += 1;
        return;
      case 'JobRetried':
        if (event.data.revives) this.#of(entry).revived += 1;
        return;
      default:
    }
  }

  #quota(entry: Extract<DecodedEvent, { readonly aggregate: 'tenant_quota' }>): void {
    const account = this.#of(entry);
    const { event, tenantId, revision, position, recordedAt } = entry;
    account.latest = { quota: event.data.after, revision };
    if (event.type === 'QuotaReserved') {
      const { reservationId, jobIds } = event.data;
      account.unfinished += jobIds.length;
      for (const jobId of jobIds)
        account.pending.push({ tenantId, jobId, reservationId, position: `${position}`, at: recordedAt });
    }
    if (event.type === 'QuotaReleased') {
      const { released, adopted, revived, duplicates } = event.data;
      account.unfinished += adopted + revived - released;
      account.released -= released - duplicates.length;
      account.adopted -= adopted;
      account.revived -= revived;
      account.pending = account.pending.filter(
        (slot) =>
          !duplicates.some(
            (freed) => freed.jobId === slot.jobId && freed.reservationId === slot.reservationId,
          ),
      );
    }
  }
}

function toAccounts(tenantId: string, account: NaiveAccount): readonly QuotaAccount[] {
  const { position, at: updatedAt, released, adopted, revived, latest } = account;
  return latest ? [{ tenantId, position, updatedAt, released, adopted, revived, ...latest }] : [];
}
