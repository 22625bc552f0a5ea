import type { ActionTaken } from '../domain/action/events.ts';
import type { ApiKeyEvent } from '../domain/api-key/events.ts';
import type { JobEvent } from '../domain/job/events.ts';
import type { EventMetadata } from '../domain/metadata.ts';
import type { QueueEvent } from '../domain/queue/events.ts';
import type { TenantQuotaEvent } from '../domain/tenant-quota/events.ts';
import type { Position } from './ports.ts';

interface Recorded {
  readonly stream: string;
  readonly revision: number;
  readonly position: Position;
  readonly recordedAt: number;
  readonly tenantId: string;
  readonly metadata: EventMetadata;
}

/** A log entry whose stream and event are understood. Readers that left the content out see empty payloads. */
export type DecodedEvent =
  | (Recorded & { readonly aggregate: 'job'; readonly jobId: string; readonly event: JobEvent })
  | (Recorded & { readonly aggregate: 'queue'; readonly queue: string; readonly event: QueueEvent })
  | (Recorded & { readonly aggregate: 'tenant_quota'; readonly event: TenantQuotaEvent })
  /** The tenant is '*' for keys of several tenants. */
  | (Recorded & { readonly aggregate: 'api_key'; readonly keyId: string; readonly event: ApiKeyEvent })
  /** The tenant is '*' for what concerns all tenants. */
  | (Recorded & { readonly aggregate: 'action'; readonly event: ActionTaken });
