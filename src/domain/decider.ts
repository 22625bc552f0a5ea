/**
 * What a decider answers. A refusal is a value, not an exception: a full queue or a stale lease is ordinary traffic.
 * Accepted with no events means the command was carried out already, so repeating it changes nothing.
 */
export type Decision<Event, Reason> =
  | { readonly kind: 'accepted'; readonly events: readonly Event[] }
  | { readonly kind: 'rejected'; readonly reason: Reason };

/**
 * An aggregate as three pure functions. Time, ids and random numbers come in with the command, so the same command on
 * the same state always gives the same decision.
 */
export interface Decider<Command, State, Event, Reason> {
  initial(): State;
  /** `at` is when the event occurred, in milliseconds since 1970. */
  evolve(state: State, event: Event, at: number): State;
  decide(command: Command, state: State): Decision<Event, Reason>;
}

export const accepted = <Event>(...events: readonly Event[]): Decision<Event, never> => ({
  kind: 'accepted',
  events,
});

export const rejected = <Reason>(reason: Reason): Decision<never, Reason> => ({ kind: 'rejected', reason });

export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
