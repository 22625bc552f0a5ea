/** An answer as it went out the first time. */
export interface KeptResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The right to execute a request; finish or abandon it. */
export interface IdempotentExecution {
  readonly tenantId: string;
  readonly key: string;
  /** This execution among others of the same request: an earlier one may have died. */
  readonly owner: string;
  /**
   * A UUIDv7 that stays the same when the request is executed again. Used as the command id of an enqueue, a second
   * execution meets the jobs of the first and answers with them.
   */
  readonly seed: string;
}

export type IdempotencyDecision =
  | ({ readonly kind: 'execute' } & IdempotentExecution)
  | ({ readonly kind: 'replay' } & KeptResponse)
  /** Somebody is executing it at this moment; ask again. */
  | { readonly kind: 'in_progress' }
  /** The key was used for another request. */
  | { readonly kind: 'mismatch' };

/**
 * Remembers requests by tenant and key for 24 hours. An execution that neither finishes nor is abandoned within a minute
 * may be taken over: its process has died. A repeatable one is taken over after two seconds: executing it twice at once
 * has the same effect, and a caller whose server was killed need not wait.
 */
export interface IdempotencyStore {
  /** `fingerprint` stands for everything that makes the request what it is: method, path, body. At most 200 characters. */
  begin(
    tenantId: string,
    key: string,
    fingerprint: string,
    options?: { readonly repeatable?: boolean },
  ): Promise<IdempotencyDecision>;
  /** Keeps the answer. Not waiting for it is safe: until it is kept, a repeat is executed again, to the same effect. */
  finish(execution: IdempotentExecution, response: KeptResponse): Promise<void>;
  /** The request failed in a way that a repeat may mend: the next one executes at once, with the same seed. */
  abandon(execution: IdempotentExecution): Promise<void>;
}
