import type { ClientBase } from 'pg';
import type { DecodedEvent } from '../commands/decoded-event.ts';
import type { QueueSettings, TenantSettings } from '../commands/ready-queue.ts';
import { unreachable } from '../domain/decider.ts';

type QueueDecoded = Extract<DecodedEvent, { aggregate: 'queue' }>;
type TenantDecoded = Extract<DecodedEvent, { aggregate: 'tenant_quota' }>;
type Client = Pick<ClientBase, 'query'>;

/** What dispatch honours of each tenant, as after the last of the events that changes it. */
export async function setTenants(
  client: Client,
  events: readonly DecodedEvent[],
  now: number,
): Promise<void> {
  const last = new Map<string, TenantDecoded>();
  for (const event of events) {
    if (event.aggregate === 'tenant_quota' && changesDispatch(event.event)) last.set(event.tenantId, event);
  }
  for (const { tenantId, revision, event } of last.values()) {
    await setTenant(client, { tenantId, revision, state: event.data.after }, now);
  }
}

export async function setTenant(client: Client, tenant: TenantSettings, now: number): Promise<void> {
  const { terms, suspension } = tenant.state;
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

/** All that dispatch honours of a queue, whatever it has heard of the events before. */
export async function setQueueTo(
  client: Client,
  { tenantId, queue, revision, state }: QueueSettings,
  now: number,
): Promise<void> {
  const { pause, concurrencyLimit } = state;
  const until = pause?.until ?? null;
  await client.query(SET_QUEUE, [
    now,
    tenantId,
    queue,
    revision,
    'both',
    pause !== undefined,
    until,
    concurrencyLimit,
  ]);
}

export async function setQueue(
  client: Client,
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
