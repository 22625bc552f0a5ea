/** How the caller proved who it is. `system` is the service itself: timers, sweepers. */
export type AuthMethod = 'api_key' | 'dev_key' | 'jwt' | 'in_process' | 'cli' | 'system';

export interface Actor {
  /** Name of the key, user or background task. */
  readonly id: string;
  readonly auth: AuthMethod;
}

/** What every event says about how it came to be. Times are milliseconds since 1970, UTC. */
export interface EventMetadata {
  readonly tenantId: string;
  readonly actor: Actor;
  /** Ties together everything that follows from one outside request. */
  readonly correlationId: string;
  /** Id of the command that wrote the event: a repeated command is recognised by it. */
  readonly causationId: string;
  readonly occurredAt: number;
  readonly traceparent?: string | undefined;
  /**
   * The request that commanded it, for what people command one by one: cancel, retry, amend, replay, purge, pause, and
   * changes of quotas and keys. Enqueues and attempts go without, for their bytes; there, correlationId names the request
   * unless the caller gave one of its own.
   */
  readonly requestId?: string | undefined;
}
