import type { Position } from '../../commands/ports.ts';
import type { Actor } from '../../domain/metadata.ts';

/** Which public events are sent once more, and where to. Times are milliseconds since 1970. */
export interface RepublicationOrder {
  /** Events after this position … */
  readonly after: Position;
  /** … up to and with this one. */
  readonly to: Position;
  /** Only what was recorded from then on. */
  readonly fromTime?: number | undefined;
  /** Only what was recorded up to then. */
  readonly toTime?: number | undefined;
  /** Absent: of all tenants. */
  readonly tenantId?: string | undefined;
  /** Behind the names of the topics; empty: to the topics of the feed. */
  readonly topicSuffix: string;
  /** Counts and sends nothing. */
  readonly dryRun: boolean;
}

export interface RepublicationProgress {
  /** Everything up to here is done. */
  readonly position: Position;
  /** Public events so far. */
  readonly found: number;
  /** Those of them that Kafka would not take. */
  readonly refused: number;
  readonly eventsPerSecond: number;
}

export interface Republication extends RepublicationOrder, RepublicationProgress {
  readonly id: string;
  readonly status: 'running' | 'done' | 'aborted' | 'failed';
  readonly by: string;
  /** How they proved who they are; null: an older version accepted it, which did not keep that. */
  readonly auth: Actor['auth'] | null;
  readonly error: string | null;
  readonly startedAt: number;
  readonly finishedAt: number | null;
}

/** Keeps republications, so that an accepted one survives the process that accepted it. */
export interface RepublicationStore {
  create(id: string, by: Actor, order: RepublicationOrder): Promise<Republication>;
  get(id: string): Promise<Republication | undefined>;
  /** The newest first, twenty at most. */
  list(): Promise<readonly Republication[]>;
  /** What is sent stays sent. */
  abort(id: string): Promise<void>;
  /** The oldest one that nobody works on, for half a minute; `save` and `prolong` add to that. */
  take(worker: string): Promise<Republication | undefined>;
  /** False when it was aborted or somebody else has it: go no further. */
  save(id: string, worker: string, progress: RepublicationProgress): Promise<boolean>;
  /** False as with save. */
  prolong(id: string, worker: string): Promise<boolean>;
  /** Somebody else may take it up at once. */
  release(id: string, worker: string): Promise<void>;
  finish(id: string, worker: string, error?: string): Promise<void>;
}
