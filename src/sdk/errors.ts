import type { QuotaRefusal } from '../adapters/http/contract/quota-refusal.ts';

/** A problem that the service answered with (RFC 9457). `code` is stable; docs/errors.md lists every one. */
export class JobsApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string | undefined;
  /** What is wrong where, when the request itself was at fault. */
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[];
  /** Which limit of the tenant was reached, with quota-exceeded, batch-above-limit and payload-too-large. */
  readonly quota: QuotaRefusal | undefined;
  /** Why the tenant takes no jobs, with tenant-paused. */
  readonly suspension: { readonly reason: string; readonly until: string | null } | undefined;
  /** When the service says that asking again makes sense; undefined: it does not say. */
  readonly retryAfterMs: number | undefined;

  constructor(problem: {
    readonly status: number;
    readonly code: string;
    readonly detail: string;
    readonly requestId?: string | undefined;
    readonly errors?: readonly { readonly pointer: string; readonly detail: string }[] | undefined;
    readonly quota?: QuotaRefusal | undefined;
    readonly suspension?: JobsApiError['suspension'];
    readonly retryAfterMs?: number | undefined;
  }) {
    super(messageOf(problem));
    this.name = 'JobsApiError';
    this.status = problem.status;
    this.code = problem.code;
    this.requestId = problem.requestId;
    this.errors = problem.errors ?? [];
    this.quota = problem.quota;
    this.suspension = problem.suspension;
    this.retryAfterMs = problem.retryAfterMs;
  }
}

/** The detail may be the first of the errors already. */
function messageOf({ detail, errors = [] }: ConstructorParameters<typeof JobsApiError>[0]): string {
  const lines = (errors ?? []).map(({ pointer, detail: wrong }) =>
    pointer ? `${pointer}: ${wrong}` : wrong,
  );
  return [detail, ...lines.filter((line) => line !== detail)].join('\n  ');
}

/** The service could not be reached, or did not answer in time, on any try. */
export class JobsConnectionError extends Error {
  readonly code = 'connection_failed';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'JobsConnectionError';
  }
}

/** Thrown by a handler: no retry can help, the job becomes a dead letter now. */
export class FatalError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'FatalError';
  }
}

/** Thrown by a handler: the attempt failed, try again after this long, whatever the retry policy says. */
export class RetryAfterError extends Error {
  readonly retryAfterMs: number;
  constructor(retryAfterMs: number, message = `try again in ${retryAfterMs} ms`, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RetryAfterError';
    this.retryAfterMs = retryAfterMs;
  }
}

/** Thrown by a handler: gives the job back without spending an attempt. */
export class ReleaseError extends Error {
  readonly runAt: Date | undefined;
  constructor(reason: string, runAt?: Date) {
    super(reason);
    this.name = 'ReleaseError';
    this.runAt = runAt;
  }
}

/** Why a handler's signal was aborted. */
export class AttemptAbortedError extends Error {
  readonly why: 'cancel_requested' | 'lease_lost' | 'timed_out' | 'draining';
  constructor(why: AttemptAbortedError['why']) {
    super(
      {
        cancel_requested: 'the job was cancelled',
        lease_lost: 'the lease was lost',
        timed_out: 'the attempt took longer than its timeout',
        draining: 'the worker stops',
      }[why],
    );
    this.name = 'AttemptAbortedError';
    this.why = why;
  }
}
