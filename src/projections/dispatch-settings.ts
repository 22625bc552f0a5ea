import type { DecodedEvent } from '../commands/decoded-event.ts';
import { unreachable } from '../domain/decider.ts';
import type { TenantQuota } from '../domain/tenant-quota/state.ts';
import type { ProjectionWrite } from './projection.ts';

type QueueDecoded = Extract<DecodedEvent, { aggregate: 'queue' }>;
type TenantDecoded = Extract<DecodedEvent, { aggregate: 'tenant_quota' }>;

/** What dispatch honours of each tenant, as after the last of the events that changes it. */
export async function setTenants(
  client: ProjectionWrite['client'],
  events: readonly DecodedEvent[],
  now: number,
): Promise<void> {
  const last = new Map<string, TenantDecoded>();
  for (const event of events) {
    if (event.aggregate === 'tenant_quota' && changesDispatch(event.event)) last.set(event.tenantId, event);
  }
  for (const { tenantId, revision, event } of last.values()) {
    await setTenant(client, { tenantId, revision, quota: event.data.after }, now);
  }
}

export async function setTenant(
  client: ProjectionWrite['client'],
  tenant: { readonly tenantId: string; readonly revision: number; readonly quota: TenantQuota },
  now: number,
): Promise<void> {
  const { terms, suspension } = tenant.quota;
  await client.query(SET_TENANT, [
    now,
    tenant.tenantId,
    tenant.revision,
    terms.weight,
    terms.limits.runningJobs,
    suspension !== undefined,
    suspension?.until ?? null,
  ]);
}

/** Whether claims have to honour something else after the event. */
export const changesSettings = (decoded: DecodedEvent): boolean =>
  decoded.aggregate === 'queue' || (decoded.aggregate === 'tenant_quota' && changesDispatch(decoded.event));

function changesDispatch(event: TenantDecoded['event']): boolean {
  switch (event.type) {
    case 'QuotaInitialized':
    case 'QuotaLimitsChanged':
    case 'TenantSuspended':
    case 'TenantResumed':
      return true;
    case 'QuotaReserved':
    case 'QuotaReleased':
    case 'QuotaExceeded':
    case 'QuotaReset':
      return false;
    default:
      return unreachable(event);
  }
}

export async function setQueue(
  client: ProjectionWrite['client'],
  { tenantId, queue, revision, event }: QueueDecoded,
  now: number,
): Promise<void> {
  switch (event.type) {
    case 'QueuePaused':
      await client.query(SET_QUEUE, [now, tenantId, queue, revision, 'pause', true, event.data.until, null]);
      return;
    case 'QueueResumed':
      await client.query(SET_QUEUE, [now, tenantId, queue, revision, 'pause', false, null, null]);
      return;
    case 'QueueLimitChanged': {
      const { concurrencyLimit } = event.data;
      await client.query(SET_QUEUE, [now, tenantId, queue, revision, 'limit', false, null, concurrencyLimit]);
      return;
    }
    default:
      unreachable(event);
  }
}

const SET_QUEUE = `
select set_queue($1, $2, $3, $4, $5, $6, $7, $8)`;

const SET_TENANT = `
select set_tenant($1, $2, $3, $4::smallint, $5, $6, $7)`;
