import type { JsonText } from '../domain/json-text.ts';
import type { EventMetadata } from '../domain/metadata.ts';

/** An event's place in the whole log; totally ordered. Only compare positions: what they count is the adapter's affair. */
export type Position = bigint;

/** Before the first event of a log. */
export const LOG_START: Position = 0n;

/** Expected revision of a stream that must not exist yet. Revisions count from 0. */
export const NO_STREAM = -1;

/** A domain event on its way into the log, encoded by its aggregate's codec. */
export interface NewEvent {
  readonly type: string;
  readonly schemaVersion: number;
  /** The event's own fields as JSON, without the content. */
  readonly data: string;
  /** The one document in an event that belongs to the caller: a payload or a result, kept as it came. */
  readonly content?: JsonText | undefined;
  readonly metadata: EventMetadata;
}

export interface StoredEvent extends NewEvent {
  readonly stream: string;
  readonly revision: number;
  readonly position: Position;
  /** When the log took it in, milliseconds since 1970. */
  readonly recordedAt: number;
}

export interface AppendRequest {
  readonly stream: string;
  /** Revision of the stream's last event, or NO_STREAM. Always exact. */
  readonly expectedRevision: number;
  /** At least one. */
  readonly events: readonly NewEvent[];
}

export type AppendOutcome =
  /** Revision and position of the last event appended. Durable. */
  | { readonly kind: 'appended'; readonly revision: number; readonly position: Position }
  /** Nothing was written to this stream. */
  | { readonly kind: 'conflict'; readonly actualRevision: number };

export interface ReadStreamOptions {
  readonly fromRevision?: number;
  readonly direction?: 'forwards' | 'backwards';
  readonly limit?: number;
}

/** Part of the log, oldest first. */
export interface LogPage {
  readonly events: readonly StoredEvent[];
  /** Everything up to here that matches has been seen: go on after this position. */
  readonly position: Position;
  /** Nothing more was there when the page was read. */
  readonly caughtUp: boolean;
}

export interface LogFilter {
  /** Stream name prefixes, for example `job-acme.`; absent: all streams. */
  readonly prefixes?: readonly string[];
  /** Leave the content out of the events; cheaper for readers that do not need payloads. */
  readonly withoutContent?: boolean;
}

/**
 * The append-only event log.
 *
 * append: each stream's events are all written or none, and each stream has its own outcome. A repeated append (same
 * stream, expected revision and causation id) answers as the first did. Rejects with LogOverloadedError when too much is
 * waiting and with LogUnavailableError when the outcome could not be settled within its timeout.
 *
 * Readers never skip an event: what is committed later always has a higher position than anything already shown.
 */
export interface EventLog {
  append(requests: readonly AppendRequest[]): Promise<readonly AppendOutcome[]>;
  /** A missing stream reads as empty. */
  readStream(stream: string, options?: ReadStreamOptions): Promise<readonly StoredEvent[]>;
  /** Whole streams; streams that do not exist are left out. At most 1,000 names. */
  readStreams(streams: readonly string[]): Promise<ReadonlyMap<string, readonly StoredEvent[]>>;
  readLog(after: Position, limit: number, filter?: LogFilter): Promise<LogPage>;
  /** Pages from `after` through to live, for ever, until the signal aborts. An empty page says that the log is caught up. */
  subscribe(
    after: Position,
    options: LogFilter & { readonly pageSize?: number; readonly signal: AbortSignal },
  ): AsyncIterable<LogPage>;
  /** Position of the last event that readers may see. */
  head(): Promise<Position>;
  /** Forgets events with a revision below `beforeRevision`; the last event always stays. */
  truncate(stream: string, beforeRevision: number): Promise<void>;
}

export class LogOverloadedError extends Error {
  readonly code = 'log_overloaded';
  readonly retryAfterMs: number;
  constructor(retryAfterMs: number) {
    super('too many events are waiting to be written; try again shortly');
    this.retryAfterMs = retryAfterMs;
  }
}

export class LogUnavailableError extends Error {
  readonly code = 'log_unavailable';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
}

export interface Ids {
  /** UUIDv7: unique, and growing with time within a process. */
  next(): string;
  /** 0 ≤ n < 1, for jitter. */
  random(): number;
  /** Unguessable, for leases: 22 characters of base64url. */
  secret(): string;
}
