import { tenantQuotaCodec } from '../../src/commands/tenant-quota-codec.ts';
import { DEFAULT_TERMS, type QuotaLimits } from '../../src/domain/tenant-quota/limits.ts';
import type { Suspension } from '../../src/domain/tenant-quota/state.ts';
import { quotaStream } from '../../src/domain/tenant-quota/stream.ts';
import { CALLER, type DispatchProcess } from './dispatch.ts';

export interface Hold {
  readonly weight?: number;
  readonly runningJobs?: QuotaLimits['runningJobs'];
  readonly suspension?: Omit<Suspension, 'since' | 'reason'>;
}

/** Writes what dispatch is to hold a tenant to from now on; all that is not said is free. */
export async function holdTenant(one: DispatchProcess, tenantId: string, hold: Hold): Promise<void> {
  const { weight = 1, runningJobs = null } = hold;
  const at = one.clock.now();
  const terms = { ...DEFAULT_TERMS, weight, limits: { ...DEFAULT_TERMS.limits, runningJobs } };
  const suspension = hold.suspension && { ...hold.suspension, reason: 'test', since: at };
  const after = {
    terms,
    unfinished: 0,
    day: 0,
    usedToday: 0,
    usedAhead: 0,
    settledThrough: '0',
    exceededAt: {},
    suspension,
  };
  const stream = quotaStream(tenantId);
  const before = await one.log.readStream(stream);
  const event = suspension
    ? ({
        type: 'TenantSuspended',
        data: { ...hold.suspension, mode: suspension.mode, reason: 'test', after },
      } as const)
    : ({ type: 'QuotaLimitsChanged', data: { terms, after } } as const);
  const metadata = {
    tenantId,
    actor: CALLER.actor,
    correlationId: 'test',
    causationId: one.ids.next(),
    occurredAt: at,
  };
  await one.log.append([
    { stream, expectedRevision: before.length - 1, events: [tenantQuotaCodec.encode(event, metadata)] },
  ]);
}
