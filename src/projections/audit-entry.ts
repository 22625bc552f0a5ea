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

function isCommanded(decoded: DecodedEvent): boolean {
  switch (decoded.aggregate) {
    case 'job':
      return isJobCommand(decoded);
    case 'tenant_quota':
      return isQuotaCommand(decoded);
    case 'queue':
    case 'api_key':
    case 'action':
      return true;
    default:
      return unreachable(decoded);
  }
}

function isJobCommand({ event, metadata }: Extract<DecodedEvent, { aggregate: 'job' }>): boolean {
  switch (event.type) {
    case 'JobCancelRequested':
    case 'JobAmended':
    case 'DeadLetterReplayed':
    case 'DeadLetterPurged':
      return true;
    case 'JobRetried':
      return event.data.by === 'person';
    // A worker that stopped as it was told, or the service that forced it, did what somebody had asked for before.
    case 'JobCancelled':
      return metadata.requestId !== undefined;
    case 'JobEnqueued':
    case 'JobStarted':
    case 'JobCompleted':
    case 'JobFailed':
    case 'JobReleased':
    case 'LeaseExpired':
    case 'JobDeadLettered':
    case 'JobVoided':
      return false;
    default:
      return unreachable(event);
  }
}

function isQuotaCommand({ event }: Extract<DecodedEvent, { aggregate: 'tenant_quota' }>): boolean {
  switch (event.type) {
    case 'QuotaInitialized':
    case 'QuotaLimitsChanged':
    case 'TenantSuspended':
    case 'TenantResumed':
      return true;
    case 'QuotaReset':
      return event.data.by === 'person';
    case 'QuotaReserved':
    case 'QuotaReleased':
    case 'QuotaExceeded':
      return false;
    default:
      return unreachable(event);
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
