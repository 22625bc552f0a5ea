import { createMemoryRateBuckets } from '../../src/adapters/memory/rate-buckets.ts';
import { systemIds } from '../../src/adapters/system.ts';
import { createEnqueueJobs } from '../../src/commands/enqueue-jobs.ts';
import { type EventLog, LOG_START, type StoredEvent } from '../../src/commands/ports.ts';
import { QuotaGate } from '../../src/commands/quota-gate.ts';
import { createResumeTenant } from '../../src/commands/resume-tenant.ts';
import { createSetTerms } from '../../src/commands/set-terms.ts';
import { createSuspendTenant } from '../../src/commands/suspend-tenant.ts';
import { tenantQuotaCodec } from '../../src/commands/tenant-quota-codec.ts';
import type { EnqueueRequest, EnqueueResult } from '../../src/commands/use-cases.ts';
import type { TenantQuotaEvent } from '../../src/domain/tenant-quota/events.ts';
import type { QuotaTerms } from '../../src/domain/tenant-quota/limits.ts';
import { caller, jobRequest } from './caller.ts';
import { NOON } from './quota-states.ts';

/** A time that only the test moves. */
export class HandClock {
  #now = NOON;
  now(): number {
    return this.#now;
  }
  pass(ms: number): void {
    this.#now += ms;
  }
}

/** What one process enqueues by. */
export function gated(log: EventLog, clock: HandClock, buckets = createMemoryRateBuckets(clock)) {
  const ids = systemIds();
  const gate = new QuotaGate({ log, clock, ids, buckets });
  const enqueueJobs = createEnqueueJobs({ log, clock, ids, gate });
  const elsewhere = { log, clock, ids };
  return {
    gate,
    enqueueJobs,
    enqueue: (count: number, request: Partial<EnqueueRequest> = {}): Promise<readonly EnqueueResult[]> =>
      enqueueJobs(
        caller(),
        Array.from({ length: count }, () => jobRequest(request)),
      ),
    /** As another process does it: this one is not told. */
    setTerms: (terms: QuotaTerms) => createSetTerms(elsewhere)(caller(), terms, {}),
    suspend: (until?: number) =>
      createSuspendTenant(elsewhere)(caller(), { mode: 'all', reason: 'unpaid', until }),
    resume: () => createResumeTenant(elsewhere)(caller(), {}),
  };
}

export const created = (results: readonly EnqueueResult[]) =>
  results.filter((result) => result.kind === 'created').map((result) => result.snapshot.jobId);

export async function wholeLog(log: EventLog): Promise<readonly StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (let after = LOG_START; ; ) {
    const page = await log.readLog(after, 1_000);
    events.push(...page.events);
    after = page.position;
    if (page.caughtUp) return events;
  }
}

export const jobsIn = async (log: EventLog): Promise<number> =>
  (await wholeLog(log)).filter(({ type }) => type === 'JobEnqueued').length;

export async function quotaEvents<Type extends TenantQuotaEvent['type']>(
  log: EventLog,
  type: Type,
): Promise<readonly Extract<TenantQuotaEvent, { readonly type: Type }>[]> {
  const events = (await log.readStream('quota-acme')).map((stored) => tenantQuotaCodec.decode(stored));
  return events.filter(
    (event): event is Extract<TenantQuotaEvent, { readonly type: Type }> => event?.type === type,
  );
}

export interface LogForGates extends AsyncDisposable {
  /** The same log as a process of its own has it. */
  open(): EventLog;
}

/** A log of which the test replaces methods. */
export const bound = (log: EventLog): EventLog => ({
  append: (requests) => log.append(requests),
  readStream: (stream, options) => log.readStream(stream, options),
  readStreams: (streams) => log.readStreams(streams),
  readLog: (after, limit, filter) => log.readLog(after, limit, filter),
  subscribe: (after, options) => log.subscribe(after, options),
  head: () => log.head(),
  truncate: (stream, before) => log.truncate(stream, before),
});
