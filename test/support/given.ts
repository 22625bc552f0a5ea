import { expect, it } from 'vitest';
import type { Decider } from '../../src/domain/decider.ts';

/** An event and when it occurred. */
export type Happened<Event> = readonly [at: number, event: Event];

/** What is known, what is asked, and what comes of it: events (none: nothing to do) or the reason of the refusal. */
export interface Scenario<Command, Event, Reason> {
  readonly given: readonly Happened<Event>[];
  readonly when: Command;
  readonly gives: readonly Event[] | Reason;
}

export function fold<Command, State, Event, Reason>(
  decider: Decider<Command, State, Event, Reason>,
  history: readonly Happened<Event>[],
): State {
  return history.reduce((state, [at, event]) => decider.evolve(state, event, at), decider.initial());
}

/** One test for each scenario, named by its key. */
export function scenarios<Command, State, Event, Reason extends string>(
  decider: Decider<Command, State, Event, Reason>,
  table: Readonly<Record<string, Scenario<Command, Event, Reason>>>,
): void {
  for (const [name, { given, when, gives }] of Object.entries(table)) {
    it(name, () => {
      const decision = decider.decide(when, fold(decider, given));
      expect(decision).toEqual(
        typeof gives === 'string' ? { kind: 'rejected', reason: gives } : { kind: 'accepted', events: gives },
      );
    });
  }
}
