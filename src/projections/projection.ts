import type { PoolClient } from 'pg';
import type { DecodedEvent } from '../commands/decoded-event.ts';
import type { Position } from '../commands/ports.ts';

/** One call that changes everything: `text` selects a single row; parameters count from $1. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

export interface ProjectionTable {
  /** Name that queries use, a view over the active version: `jobs`. */
  readonly name: string;
  /** `create table …` for a physical table of the given name, with its primary key, without other indexes. */
  create(physicalName: string): string;
  /** Secondary indexes, made once a rebuild has caught up. */
  indexes(physicalName: string): readonly string[];
}

export interface ProjectionWrite {
  /** Inside the transaction that also moves the checkpoint. */
  readonly client: PoolClient;
  /** Physical name of one of the projection's tables. */
  table(name: string): string;
}

/**
 * Folds the log into read-model tables. apply must be safe to repeat: every row carries the revision it reflects and
 * only moves forward. A projection gets no way to publish, so a rebuild can't.
 */
export interface Projection {
  readonly name: string;
  /** Raised whenever a row would come out differently for the same events. */
  readonly version: number;
  /** Stream prefixes it reads. */
  readonly prefixes: readonly string[];
  readonly needsContent: boolean;
  /** Tables that a crash of Postgres may empty; their checkpoint is emptied with them and they fill again from the log. */
  readonly unlogged: boolean;
  /** Workers wait for it: applied at once even where larger batches would cost less. */
  readonly urgent?: boolean;
  /** Events applied at once, at most, when others wait for what its transactions lock. Asked before each batch. */
  readonly mostEvents?: number;
  /** Types of the events it has anything to do with; absent: all. */
  readonly eventTypes?: ReadonlySet<string>;
  readonly tables: readonly ProjectionTable[];
  /** The same change as apply makes, where one call is enough; sets what it needs for the transaction by itself. */
  statement?(events: readonly DecodedEvent[]): Statement | undefined;
  apply(events: readonly DecodedEvent[], write: ProjectionWrite): Promise<void>;
  /** Fills empty tables from a better start than the first event; answers the position to go on after. */
  seed?(write: ProjectionWrite): Promise<Position>;
  /**
   * For projections whose tables other writers change as well, so that folding the log beside them and comparing means
   * nothing: puts the live tables right in place. Takes the place of rebuild, and verify refuses; while it runs nothing
   * else applies events. The checkpoint stays where it is.
   */
  repair?(write: ProjectionWrite): Promise<void>;
}
