import { type Decider, unreachable } from '../domain/decider.ts';
import type { EventMetadata } from '../domain/metadata.ts';
import type { Codec } from './codec.ts';
import { type AppendOutcome, type EventLog, NO_STREAM, type Position, type StoredEvent } from './ports.ts';

/** A state and the revision of the event it was reached by; NO_STREAM with the initial state. */
export interface Known<State> {
  readonly state: State;
  readonly revision: number;
}

export interface Work<Command, State> {
  readonly stream: string;
  readonly command: Command;
  readonly metadata: EventMetadata;
  /** What the caller believes the stream to be; saves reading it. Proven by the append, or by reading before a refusal. */
  readonly assume?: Known<State> | undefined;
  /** Refuse unless the stream is at this revision before the command. */
  readonly onlyAtRevision?: number | undefined;
}

export type Handled<State, Event, Reason> =
  /** The state after the command; no position when nothing had to be written. */
  | (Known<State> & {
      readonly kind: 'accepted';
      readonly events: readonly Event[];
      readonly position?: Position | undefined;
    })
  | (Known<State> & { readonly kind: 'rejected'; readonly reason: Reason })
  | (Known<State> & { readonly kind: 'revision_mismatch' })
  /** Other writers won every try. */
  | { readonly kind: 'contended' }
  /** The stream holds what this version can't understand: a matter of this one, whatever else is in the call. */
  | { readonly kind: 'unreadable'; readonly error: Error };

/** Most times a work is decided anew after losing a race for its stream. */
const MAX_TRIES = 6;

/**
 * load → fold → decide → append, for many streams in one append call. Works on the same stream are decided one after
 * the other and written together. A lost race reloads that stream and decides again; only fresh state can refuse.
 */
export class Handler<Command, State, Event, Reason> {
  readonly #log: EventLog;
  readonly #decider: Decider<Command, State, Event, Reason>;
  readonly #codec: Codec<Event>;

  constructor(log: EventLog, decider: Decider<Command, State, Event, Reason>, codec: Codec<Event>) {
    this.#log = log;
    this.#decider = decider;
    this.#codec = codec;
  }

  async handle(works: readonly Work<Command, State>[]): Promise<readonly Handled<State, Event, Reason>[]> {
    const results: Handled<State, Event, Reason>[] = works.map(() => ({ kind: 'contended' }));
    let open = groupByStream(works);
    for (let tries = 0; open.length > 0 && tries < MAX_TRIES; tries += 1) {
      await this.#load(open);
      for (const { indexes, unreadable } of open)
        if (unreadable)
          for (const index of indexes) results[index] = { kind: 'unreadable', error: unreadable };
      const decided = open.filter(({ unreadable }) => !unreadable).map((group) => this.#decide(group));
      const toAppend = decided.filter((d) => d.events.length > 0 && !d.mustReload);
      const outcomes = await this.#append(toAppend);
      for (const d of decided) settle(d, outcomes.get(d), results);
      open = decided.filter((d) => d.mustReload || outcomes.get(d)?.kind === 'conflict').map((d) => d.group);
      for (const group of open) group.known = undefined;
    }
    return results;
  }

  /** The state of one stream as it stands in the log. */
  async load(stream: string): Promise<Known<State>> {
    return this.fold(await this.#log.readStream(stream));
  }

  fold(events: readonly StoredEvent[], from?: Known<State>): Known<State> {
    let state = from?.state ?? this.#decider.initial();
    let revision = from?.revision ?? NO_STREAM;
    for (const stored of events) {
      const event = this.#codec.decode(stored);
      if (event === undefined)
        throw new Error(`${stored.stream}@${stored.revision}: unknown event ${stored.type}`);
      state = this.#decider.evolve(state, event, stored.metadata.occurredAt);
      revision = stored.revision;
    }
    return { state, revision };
  }

  async #load(groups: readonly Group<Command, State>[]): Promise<void> {
    const missing = groups.filter((group) => group.known === undefined);
    if (missing.length === 0) return;
    const streams = await this.#log.readStreams(missing.map((group) => group.stream));
    for (const group of missing) {
      try {
        group.known = this.fold(streams.get(group.stream) ?? []);
        group.fresh = true;
      } catch (error) {
        group.unreadable = error instanceof Error ? error : new Error(String(error));
      }
    }
  }

  #decide(group: Group<Command, State>): Decided<Command, State, Event, Reason> {
    const start = group.known ?? { state: this.#decider.initial(), revision: NO_STREAM };
    let { state, revision } = start;
    const events: Decided<Command, State, Event, Reason>['events'][number][] = [];
    const answers: Handled<State, Event, Reason>[] = [];
    let mustReload = false;
    for (const { command, metadata, onlyAtRevision } of group.works) {
      if (onlyAtRevision !== undefined && onlyAtRevision !== revision) {
        answers.push({ kind: 'revision_mismatch', state, revision });
        mustReload ||= !group.fresh;
        continue;
      }
      const decision = this.#decider.decide(command, state);
      switch (decision.kind) {
        case 'rejected':
          answers.push({ kind: 'rejected', reason: decision.reason, state, revision });
          mustReload ||= !group.fresh;
          break;
        case 'accepted':
          for (const event of decision.events) {
            state = this.#decider.evolve(state, event, metadata.occurredAt);
            events.push(this.#codec.encode(event, metadata));
          }
          revision += decision.events.length;
          answers.push({ kind: 'accepted', events: decision.events, state, revision });
          mustReload ||= decision.events.length === 0 && !group.fresh;
          break;
        default:
          unreachable(decision);
      }
    }
    return { group, expectedRevision: start.revision, events, answers, mustReload };
  }

  async #append(
    decided: readonly Decided<Command, State, Event, Reason>[],
  ): Promise<ReadonlyMap<unknown, AppendOutcome>> {
    const outcomes = new Map<unknown, AppendOutcome>();
    if (decided.length === 0) return outcomes;
    const answers = await this.#log.append(
      decided.map((d) => ({
        stream: d.group.stream,
        expectedRevision: d.expectedRevision,
        events: d.events,
      })),
    );
    decided.forEach((d, index) => {
      const outcome = answers[index];
      if (!outcome) throw new Error('the log left an append unanswered');
      outcomes.set(d, outcome);
    });
    return outcomes;
  }
}

interface Group<Command, State> {
  readonly stream: string;
  readonly works: Work<Command, State>[];
  readonly indexes: number[];
  known: Known<State> | undefined;
  fresh: boolean;
  unreadable: Error | undefined;
}

interface Decided<Command, State, Event, Reason> {
  readonly group: Group<Command, State>;
  readonly expectedRevision: number;
  readonly events: readonly ReturnType<Codec<Event>['encode']>[];
  readonly answers: readonly Handled<State, Event, Reason>[];
  /** Something was refused, or found done, on assumed state: the stream itself has to say so. */
  readonly mustReload: boolean;
}

function groupByStream<Command, State>(works: readonly Work<Command, State>[]): Group<Command, State>[] {
  const groups = new Map<string, Group<Command, State>>();
  works.forEach((work, index) => {
    const group = groups.get(work.stream);
    if (group) {
      group.works.push(work);
      group.indexes.push(index);
    } else {
      const first = {
        stream: work.stream,
        works: [work],
        indexes: [index],
        known: work.assume,
        fresh: false,
        unreadable: undefined,
      };
      groups.set(work.stream, first);
    }
  });
  return [...groups.values()];
}

function settle<Command, State, Event, Reason>(
  decided: Decided<Command, State, Event, Reason>,
  outcome: AppendOutcome | undefined,
  results: Handled<State, Event, Reason>[],
): void {
  if (decided.mustReload || outcome?.kind === 'conflict') return;
  decided.answers.forEach((answer, index) => {
    const slot = decided.group.indexes[index];
    if (slot === undefined) return;
    const wrote = outcome?.kind === 'appended' && answer.kind === 'accepted' && answer.events.length > 0;
    results[slot] = wrote ? { ...answer, position: outcome.position } : answer;
  });
}
