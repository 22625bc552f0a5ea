import type { EventStoreDBClient } from '@eventstore/db-client';
import type { LogFilter, LogPage, Position, StoredEvent } from '../../commands/ports.ts';
import { subscribeToAll } from './all-subscription.ts';
import { decodeEvent } from './event-encoding.ts';
import { ReadTimeoutError } from './read-errors.ts';

/** The last event of ours. */
export interface LogHead {
  readonly position: Position;
  /** Without the prefix. */
  readonly stream: string;
}

export interface PageRequest {
  readonly client: EventStoreDBClient;
  readonly streamPrefix: string;
  readonly after: Position;
  /** From before the read; must lie after `after`. */
  readonly head: LogHead;
  /** At least 1. */
  readonly limit: number;
  readonly filter: LogFilter;
  readonly timeoutMs: number;
}

/**
 * A page of the log by a subscription, since only there the server filters. It is asked for the head's stream, too: when
 * that event comes, everything before it has come, whether the server says so or not.
 */
export function readLogPage(request: PageRequest): Promise<LogPage> {
  const { client, streamPrefix, after, head, limit, filter, timeoutMs } = request;
  const { prefixes = [''], withoutContent = false } = filter;
  const { promise, resolve, reject } = Promise.withResolvers<LogPage>();
  const events: StoredEvent[] = [];
  const toTheEnd = () => {
    // More may have come while the server looked.
    const last = events.at(-1)?.position;
    const position = last === undefined || last < head.position ? head.position : last;
    resolve({ events, position, caughtUp: true });
    subscription.stop();
  };
  const subscription = subscribeToAll({
    client,
    after,
    prefixes: [...prefixes, head.stream].map((prefix) => streamPrefix + prefix),
    onEvent({ event }) {
      if (!event) return;
      const stored = decodeEvent(event, streamPrefix, withoutContent);
      if (stored && prefixes.some((prefix) => stored.stream.startsWith(prefix))) events.push(stored);
      if (events.length >= limit) {
        resolve({ events, position: event.position.commit, caughtUp: false });
        subscription.stop();
      } else if (event.position.commit >= head.position) {
        toTheEnd();
      }
    },
    onCaughtUp: toTheEnd,
    onEnd: (error) => reject(error ?? new Error('the server ended the read')),
  });
  const timer = setTimeout(() => reject(new ReadTimeoutError(timeoutMs)), timeoutMs);
  return promise.finally(() => {
    clearTimeout(timer);
    subscription.stop();
  });
}
