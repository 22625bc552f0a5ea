import { unreachable } from '../../domain/decider.ts';
import type { TenantQuotaEvent } from '../../domain/tenant-quota/events.ts';
import type { PublicEventData, PublicEventType } from './event-schemas.ts';
import type { PublicEvent } from './public-event.ts';

/** The public face of what happened to a tenant's quota; undefined for what stays inside. */
export function publicQuotaEvent(event: TenantQuotaEvent): PublicEvent | undefined {
  switch (event.type) {
    case 'QuotaExceeded': {
      const { limit, value, used, refused, resetAt } = event.data;
      return say('eventzr.jobs.quota.exceeded.v1', {
        limit,
        value,
        used,
        refused,
        resetAt: resetAt === undefined ? undefined : new Date(resetAt).toISOString(),
      });
    }
    case 'QuotaReset': {
      const { by, used, reason } = event.data;
      return say('eventzr.jobs.quota.reset.v1', { by, used, reason });
    }
    case 'QuotaInitialized':
    case 'QuotaLimitsChanged':
    case 'QuotaReserved':
    case 'QuotaReleased':
    case 'TenantSuspended':
    case 'TenantResumed':
      return undefined;
    default:
      return unreachable(event);
  }
}

const say = <Type extends PublicEventType>(
  type: Type,
  details: Omit<PublicEventData<Type>, 'tenantId'>,
): PublicEvent => ({ type, details });
