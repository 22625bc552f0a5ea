import type { DecodedEvent } from '../../src/commands/decoded-event.ts';
import type { JobEvent } from '../../src/domain/job/events.ts';
import { jobStream } from '../../src/domain/job/stream.ts';
import type { TenantQuotaEvent } from '../../src/domain/tenant-quota/events.ts';
import { unheardOf } from '../../src/domain/tenant-quota/evolve.ts';
import type { TenantQuota } from '../../src/domain/tenant-quota/state.ts';
import { quotaStream } from '../../src/domain/tenant-quota/stream.ts';

/** A log of decoded events that is written by hand: positions and revisions count by themselves. */
export class WrittenLog {
  readonly events: DecodedEvent[] = [];
  readonly #revisions = new Map<string, number>();
  readonly #quotas = new Map<string, TenantQuota>();

  job(tenantId: string, jobId: string, event: JobEvent, at: number): void {
    const stream = jobStream(tenantId, jobId);
    this.events.push({ aggregate: 'job', jobId, event, ...this.#recorded(stream, tenantId, at) });
  }

  /** `after` is what it was before, with these changes. */
  quota(tenantId: string, event: WithoutAfter, at: number, changes: Partial<TenantQuota> = {}): void {
    const after = { ...(this.#quotas.get(tenantId) ?? unheardOf(at)), ...changes };
    this.#quotas.set(tenantId, after);
    const full = { type: event.type, data: { ...event.data, after } } as TenantQuotaEvent;
    this.events.push({
      aggregate: 'tenant_quota',
      event: full,
      ...this.#recorded(quotaStream(tenantId), tenantId, at),
    });
  }

  #recorded(stream: string, tenantId: string, at: number) {
    const revision = (this.#revisions.get(stream) ?? -1) + 1;
    this.#revisions.set(stream, revision);
    return {
      stream,
      tenantId,
      revision,
      position: BigInt(this.events.length + 1),
      recordedAt: at,
      metadata: {
        tenantId,
        actor: { id: 'test', auth: 'in_process' as const },
        correlationId: 'c',
        causationId: `${stream}-${revision}`,
        occurredAt: at,
      },
    };
  }
}

type WithoutAfter = TenantQuotaEvent extends infer Event
  ? Event extends { readonly type: string; readonly data: object }
    ? { readonly type: Event['type']; readonly data: Omit<Event['data'], 'after'> }
    : never
  : never;
