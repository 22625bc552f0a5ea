import {
  type AllStreamResolvedEvent,
  type EventStoreDBClient,
  START,
  streamNameFilter,
} from '@eventstore/db-client';
import { LOG_START, type Position } from '../../commands/ports.ts';

export interface AllSubscriptionOptions {
  readonly client: EventStoreDBClient;
  /** Exclusive; must be LOG_START or the position of an event. */
  readonly after: Position;
  readonly prefixes: readonly string[];
  readonly onEvent: (event: AllStreamResolvedEvent) => void;
  /** Everything up to here that matches has been given to onEvent. */
  readonly onCheckpoint?: (position: Position) => void;
  /** Everything that was there has been given to onEvent. */
  readonly onCaughtUp: () => void;
  /** Once, however it ended, except after stop. */
  readonly onEnd: (error: Error | undefined) => void;
}

/** Events the server looks through before it says how far it is: scanning with the standard of 32 takes three times as long. */
const SEARCH_WINDOW = 1_000;

/**
 * One subscription to the whole log. It reads as fast as the server sends, because the server drops slow readers.
 *
 * The client tells of checkpoints and of catching up when they pass through, while events that came before them may still
 * wait in its buffer. Here they are told in their place.
 */
export function subscribeToAll(options: AllSubscriptionOptions): { stop(): void } {
  const { client, after, prefixes, onEvent, onCheckpoint, onCaughtUp, onEnd } = options;
  const marks: { readonly afterEvents: number; readonly tell: () => void }[] = [];
  let delivered = 0;
  let over = false;

  const tellReached = () => {
    while (!over && marks[0] && marks[0].afterEvents <= delivered) marks.shift()?.tell();
  };
  const mark = (tell: () => void) => {
    marks.push({ afterEvents: delivered + subscription.readableLength, tell });
    tellReached();
  };
  const subscription = client.subscribeToAll({
    fromPosition: after === LOG_START ? START : { commit: after, prepare: after },
    requiresLeader: true,
    filter: streamNameFilter({
      prefixes: [...prefixes],
      maxSearchWindow: SEARCH_WINDOW,
      checkpointReached: (_, { commit }) => {
        if (onCheckpoint && !over) mark(() => onCheckpoint(commit));
      },
    }),
  });
  const end = (error?: Error) => {
    if (over) return;
    close();
    onEnd(error);
  };
  const close = () => {
    over = true;
    subscription.unsubscribe().catch(() => {});
    subscription.destroy();
  };
  subscription.on('caughtUp', () => mark(onCaughtUp));
  // An error without a listener would end the process, and one more may come after the end.
  subscription.on('error', end);
  subscription.on('end', () => end());
  subscription.on('data', (event: AllStreamResolvedEvent) => {
    if (over) return;
    delivered += 1;
    onEvent(event);
    tellReached();
  });
  return {
    stop() {
      if (!over) close();
    },
  };
}
