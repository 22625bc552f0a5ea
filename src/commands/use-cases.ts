import type { JobRejection } from '../domain/job/commands.ts';
import type { JobError } from '../domain/job/events.ts';
import type { RetryPolicy } from '../domain/job/retry-policy.ts';
import type { ExistingJob, JobStatus } from '../domain/job/state.ts';
import type { JsonText } from '../domain/json-text.ts';
import type { LimitName, QuotaTerms } from '../domain/tenant-quota/limits.ts';
import type { Suspension, TenantQuota } from '../domain/tenant-quota/state.ts';
import type { CallContext } from './call-context.ts';
import type { Position } from './ports.ts';

/** A job as it stands after a given event of its stream. */
export interface JobSnapshot {
  readonly tenantId: string;
  readonly jobId: string;
  readonly revision: number;
  readonly job: ExistingJob;
}

export type Refused = {
  readonly kind: 'refused';
  readonly reason: JobRejection | RequestRejection;
  /** With quota_exceeded and batch_above_limit. */
  readonly quota?: QuotaRefusal | undefined;
  /** With tenant_suspended. */
  readonly suspension?: Pick<Suspension, 'reason' | 'until'> | undefined;
};

/** Which limit of its tenant a job is above. */
export interface QuotaRefusal {
  readonly limit: LimitName;
  readonly value: number;
  /** Of the limit, when the job was refused; for payloadBytes the bytes of this payload, for a batch above a limit its jobs. */
  readonly used: number;
  /** When the limit counts from 0 again, milliseconds since 1970; absent: not by time alone. */
  readonly resetAt?: number | undefined;
  /** When asking again makes sense; absent: not by itself. */
  readonly retryAfterMs?: number | undefined;
}

/** Refusals that come from the request rather than from the job. */
export type RequestRejection =
  | 'revision_mismatch'
  | 'run_at_out_of_range'
  | 'payload_too_large'
  /** A limit of the tenant: `quota` says which. */
  | 'quota_exceeded'
  /** An atomic batch of more jobs than a limit of the tenant ever takes at once: `quota` says which. */
  | 'batch_above_limit'
  /** The tenant may not enqueue: `suspension` says why. */
  | 'tenant_suspended'
  /** Nothing is wrong with this one, but with another of an atomic batch. */
  | 'batch_refused';

/** A job changed (or was already so: then `position` is absent). */
export type JobChanged = {
  readonly kind: 'changed';
  readonly snapshot: JobSnapshot;
  readonly position?: Position | undefined;
};

export interface EnqueueRequest {
  /** Fixed by callers that must be able to repeat the enqueue; absent: a new UUIDv7. */
  readonly jobId?: string | undefined;
  readonly type: string;
  readonly payload: JsonText;
  readonly queue?: string | undefined;
  readonly priority?: number | undefined;
  readonly runAt?: number | undefined;
  readonly maxAttempts?: number | undefined;
  readonly retry?: RetryPolicy | undefined;
  readonly timeoutMs?: number | undefined;
  readonly deadlineAt?: number | undefined;
  readonly dedupeKey?: string | undefined;
  readonly tags?: readonly string[] | undefined;
}

export type EnqueueResult =
  | { readonly kind: 'created'; readonly snapshot: JobSnapshot; readonly position: Position }
  /** dedupeKey: an unfinished job has it; or the same jobId was enqueued before. */
  | { readonly kind: 'deduplicated'; readonly snapshot: JobSnapshot }
  | Refused;

export interface ClaimRequest {
  readonly workerId: string;
  /** Tenants the credential may work for; '*' is all of them. */
  readonly tenants: readonly string[] | '*';
  /** Queue names; '*' is all of them. */
  readonly queues: readonly string[] | '*';
  /** Job types; absent: all. */
  readonly types?: readonly string[] | undefined;
  /** 1..1000 */
  readonly max: number;
  readonly leaseMs: number;
  /** How long to wait for a first job; 0: not at all. */
  readonly waitMs: number;
}

export interface Claim {
  readonly snapshot: JobSnapshot;
  readonly leaseToken: string;
  readonly leaseExpiresAt: number;
}

export interface HeartbeatRequest {
  readonly workerId: string;
  /** Tenants of the credential: leases of others are lost. Absent: the tokens speak for themselves. */
  readonly tenants?: readonly string[] | '*' | undefined;
  readonly leases: readonly { readonly leaseToken: string }[];
  readonly leaseMs: number;
}

export interface HeartbeatResult {
  /** What the worker as a whole should do. `quiet`: finish what you have, claim no more. */
  readonly directive: 'run' | 'quiet' | 'terminate';
  readonly leases: readonly {
    readonly leaseToken: string;
    readonly jobId: string;
    readonly status: 'extended' | 'lost' | 'cancel_requested';
    readonly leaseExpiresAt?: number | undefined;
  }[];
}

export type Acknowledgement = { readonly leaseToken: string } & (
  | { readonly outcome: 'completed'; readonly result?: JsonText | undefined }
  | {
      readonly outcome: 'failed';
      readonly error: Omit<JobError, 'fingerprint'>;
      readonly fatal?: boolean | undefined;
      readonly retryAfterMs?: number | undefined;
    }
  | {
      readonly outcome: 'released';
      readonly reason?: string | undefined;
      readonly runAt?: number | undefined;
    }
  | { readonly outcome: 'cancelled' }
);

export type AcknowledgementResult =
  | {
      readonly kind: 'acknowledged';
      readonly jobId: string;
      readonly status: JobStatus;
      /** When it may run again, for retrying and released jobs. */
      readonly runAt?: number | undefined;
      readonly revision: number;
      readonly position?: Position | undefined;
    }
  | Refused;

export interface OnRevision {
  /** If-Match: refuse unless the stream is at this revision. */
  readonly expectedRevision?: number | undefined;
}

/** A tenant's quota after a command (or as it was already: then `position` is absent). */
export type QuotaChanged = {
  readonly kind: 'changed';
  readonly quota: TenantQuota | undefined;
  readonly revision: number;
  readonly position?: Position | undefined;
};

/** Only `revision_mismatch`. */
export type QuotaRefused = { readonly kind: 'refused'; readonly reason: 'revision_mismatch' };

/** Everything that can be asked of the service that changes something. One file each in this folder. */
export interface UseCases {
  /**
   * Results in the order of the requests. `atomic`: all are created or none. At most 1,000. `commandId`: a UUIDv7 that
   * makes the call repeatable: ids of the jobs derive from it, and a repeat answers as the first one did.
   */
  enqueueJobs(
    context: CallContext,
    requests: readonly EnqueueRequest[],
    options?: { readonly atomic?: boolean | undefined; readonly commandId?: string | undefined },
  ): Promise<readonly EnqueueResult[]>;
  cancelJob(
    context: CallContext,
    jobId: string,
    request: { readonly reason?: string | undefined; readonly graceMs?: number | undefined } & OnRevision,
  ): Promise<JobChanged | Refused>;
  retryJob(
    context: CallContext,
    jobId: string,
    request: {
      readonly runAt?: number | undefined;
      readonly payload?: JsonText | undefined;
      readonly resetAttempts?: boolean | undefined;
      readonly reason?: string | undefined;
    } & OnRevision,
  ): Promise<JobChanged | Refused>;
  amendJob(
    context: CallContext,
    jobId: string,
    request: {
      readonly priority?: number | undefined;
      readonly runAt?: number | undefined;
      readonly payload?: JsonText | undefined;
      readonly tags?: readonly string[] | undefined;
      readonly reason?: string | undefined;
    } & OnRevision,
  ): Promise<JobChanged | Refused>;
  replayDeadLetter(
    context: CallContext,
    jobId: string,
    request: {
      readonly payload?: JsonText | undefined;
      readonly queue?: string | undefined;
      readonly runAt?: number | undefined;
      readonly reason?: string | undefined;
    } & OnRevision,
  ): Promise<JobChanged | Refused>;
  purgeDeadLetter(
    context: CallContext,
    jobId: string,
    request: { readonly reason: string } & OnRevision,
  ): Promise<JobChanged | Refused>;
  pauseQueue(
    context: CallContext,
    queue: string,
    request: { readonly reason?: string | undefined; readonly until?: number | undefined },
  ): Promise<{ readonly position?: Position | undefined }>;
  resumeQueue(
    context: CallContext,
    queue: string,
    request: { readonly reason?: string | undefined },
  ): Promise<{ readonly position?: Position | undefined }>;
  limitQueue(
    context: CallContext,
    queue: string,
    request: { readonly concurrencyLimit: number | null; readonly reason?: string | undefined },
  ): Promise<{ readonly position?: Position | undefined }>;
  /** Waits up to waitMs for work; empty when there was none. Claims nothing once the signal is aborted. */
  claimJobs(
    context: Omit<CallContext, 'tenantId'>,
    request: ClaimRequest,
    options?: { readonly signal?: AbortSignal },
  ): Promise<readonly Claim[]>;
  heartbeat(context: Omit<CallContext, 'tenantId'>, request: HeartbeatRequest): Promise<HeartbeatResult>;
  /** Results in the order of the acknowledgements. At most 1,000. */
  acknowledge(
    context: Omit<CallContext, 'tenantId'>,
    tenants: readonly string[] | '*',
    acknowledgements: readonly Acknowledgement[],
  ): Promise<readonly AcknowledgementResult[]>;
  /**
   * What the tenant is held to from now on; jobs that exist stay. Of this and the next three, expectedRevision refuses when
   * terms or suspension have changed since, not when something was used. Throws InvalidTermsError.
   */
  setTerms(
    context: CallContext,
    terms: QuotaTerms,
    request: { readonly reason?: string | undefined } & OnRevision,
  ): Promise<QuotaChanged | QuotaRefused>;
  /** Gives the tenant its day back: nothing is used of jobsPerDay. */
  resetQuota(
    context: CallContext,
    request: { readonly reason?: string | undefined } & OnRevision,
  ): Promise<QuotaChanged | QuotaRefused>;
  suspendTenant(
    context: CallContext,
    request: {
      /** claims: no attempt starts; all: nothing is enqueued either. */
      readonly mode: 'claims' | 'all';
      readonly reason: string;
      readonly until?: number | undefined;
    } & OnRevision,
  ): Promise<QuotaChanged | QuotaRefused>;
  resumeTenant(
    context: CallContext,
    request: { readonly reason?: string | undefined } & OnRevision,
  ): Promise<QuotaChanged | QuotaRefused>;
  /** As it stands in the log. No quota and revision -1: nobody ever set terms for the tenant or suspended it. */
  readQuota(
    tenantId: string,
  ): Promise<{ readonly quota: TenantQuota | undefined; readonly revision: number }>;
}
