/** A claimed job as a handler gets it. */
export interface ClaimedJob<Payload = unknown> {
  readonly id: string;
  readonly tenantId: string;
  readonly type: string;
  readonly queue: string;
  readonly priority: number;
  /** Counts from 1; released attempts are not counted. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly tags: readonly string[];
  readonly payload: Payload;
  /** The attempt has to be over by then, if the job has a timeout. */
  readonly timeoutMs: number | null;
}

export interface WorkerClaim {
  readonly leaseToken: string;
  readonly job: ClaimedJob;
}

export interface WorkerClaimRequest {
  readonly workerId: string;
  readonly queues?: readonly string[] | undefined;
  readonly types?: readonly string[] | undefined;
  readonly max: number;
  readonly leaseMs: number;
  readonly waitMs: number;
}

export type WorkerAcknowledgement = { readonly leaseToken: string } & (
  | { readonly outcome: 'completed'; readonly result?: unknown }
  | {
      readonly outcome: 'failed';
      readonly error: { readonly type: string; readonly message: string; readonly stack?: string };
      readonly fatal: boolean;
      readonly retryAfterMs?: number | undefined;
    }
  | { readonly outcome: 'released'; readonly reason: string; readonly runAt?: Date | undefined }
  | { readonly outcome: 'cancelled' }
);

/** Refused: the lease was lost or the job is over; there is nothing more to do for this attempt. */
export type WorkerAcknowledged =
  | { readonly kind: 'acknowledged' }
  | { readonly kind: 'refused'; readonly code: string };

export interface WorkerHeartbeat {
  readonly directive: 'run' | 'quiet' | 'terminate';
  readonly leases: readonly {
    readonly leaseToken: string;
    readonly status: 'extended' | 'lost' | 'cancel_requested';
  }[];
}

/** How a worker reaches the service: over HTTP, or within the same process. Rejections mean: try again. */
export interface WorkerTransport {
  claim(request: WorkerClaimRequest, signal: AbortSignal): Promise<readonly WorkerClaim[]>;
  heartbeat(request: {
    readonly workerId: string;
    readonly leaseTokens: readonly string[];
    readonly leaseMs: number;
  }): Promise<WorkerHeartbeat>;
  /** Answers in the order of the acknowledgements. */
  acknowledge(acknowledgements: readonly WorkerAcknowledgement[]): Promise<readonly WorkerAcknowledged[]>;
}
