import type { DecodedEvent } from '../commands/decoded-event.ts';
import { unreachable } from '../domain/decider.ts';

/** One line of the audit trail. `details` is JSON: the event's data, without payloads and without what stands elsewhere. */
export interface AuditEntry {
  readonly tenantId: string;
  readonly stream: string;
  readonly revision: number;
  readonly position: bigint;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly actor: string;
  readonly auth: string;
  readonly action: string;
  /** The job, queue, tenant, key or other thing that it was done to. */
  readonly subject: string;
  readonly jobId: string | undefined;
  readonly reason: string | undefined;
  readonly requestId: string | undefined;
  readonly correlationId: string;
  readonly details: string;
}

/** undefined for what nobody commanded, and for the work itself: enqueues, attempts, reservations. */
export function auditEntryOf(decoded: DecodedEvent): AuditEntry | undefined {
  if (!isCommanded(decoded)) return undefined;
  const { tenantId, stream, revision, position, metadata } = decoded;
  const { action, subject, reason, details } = deedOf(decoded);
  return {
    tenantId,
    stream,
    revision,
    position,
    at: metadata.occurredAt,
    actor: metadata.actor.id,
    auth: metadata.actor.auth,
    action,
    subject,
    jobId: decoded.aggregate === 'job' ? decoded.jobId : undefined,
    reason,
    requestId: metadata.requestId,
    correlationId: metadata.correlationId,
    details: JSON.stringify(details),
  };
}

/** Whether an event is, or can be, what somebody commanded. */
const COMMANDED: Readonly<Record<DecodedEvent['event']['type'], boolean>> = {
  JobEnqueued: false,
  JobStarted: false,
  JobCompleted: false,
  JobFailed: false,
  JobReleased: false,
  LeaseExpired: false,
  JobDeadLettered: false,
  JobVoided: false,
  JobRetried: true,
  JobAmended: true,
  JobCancelRequested: true,
  JobCancelled: true,
  DeadLetterReplayed: true,
  DeadLetterPurged: true,
  QueuePaused: true,
  QueueResumed: true,
  QueueLimitChanged: true,
  QuotaInitialized: true,
  QuotaLimitsChanged: true,
  QuotaReserved: false,
  QuotaReleased: false,
  QuotaExceeded: false,
  QuotaReset: true,
  TenantSuspended: true,
  TenantResumed: true,
  ApiKeyCreated: true,
  ApiKeyRotated: true,
  ApiKeyRevoked: true,
  ActionTaken: true,
};

/** Types of the events that may have an entry. */
export const AUDITED_TYPES: ReadonlySet<string> = new Set(
  Object.entries(COMMANDED).flatMap(([type, commanded]) => (commanded ? [type] : [])),
);

function isCommanded({ event, metadata }: DecodedEvent): boolean {
  switch (event.type) {
    case 'JobRetried':
    case 'QuotaReset':
      return event.data.by === 'person';
    // A worker that stopped as it was told, or the service that forced it, did what somebody had asked for before.
    case 'JobCancelled':
      return metadata.requestId !== undefined;
    default:
      return COMMANDED[event.type];
  }
}

interface Deed {
  readonly action: string;
  readonly subject: string;
  readonly reason: string | undefined;
  readonly details: object;
}

function deedOf(decoded: DecodedEvent): Deed {
  if (decoded.aggregate === 'action') {
    const { action, subject, reason, details = {} } = decoded.event.data;
    return { action, subject, reason, details };
  }
  // The state after a quota's event is in every one of them; payloads are not for audits.
  const { reason, after, payload, result, ...details } = decoded.event.data as Readonly<
    Record<string, unknown>
  >;
  return {
    action: decoded.event.type,
    subject: subjectOf(decoded),
    reason: typeof reason === 'string' ? reason : undefined,
    details,
  };
}

function subjectOf(decoded: Exclude<DecodedEvent, { aggregate: 'action' }>): string {
  switch (decoded.aggregate) {
    case 'job':
      return decoded.jobId;
    case 'queue':
      return decoded.queue;
    case 'tenant_quota':
      return decoded.tenantId;
    case 'api_key':
      return decoded.keyId;
    default:
      return unreachable(decoded);
  }
}
