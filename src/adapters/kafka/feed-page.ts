import type { DecodedEvent } from '../../commands/decoded-event.ts';
import type { LogPage, Position, StoredEvent } from '../../commands/ports.ts';
import { UnknownEventError } from '../../projections/log-slice.ts';
import type { DataSchemas } from '../cloudevents/data-schema.ts';
import { toCloudEvent } from '../cloudevents/to-cloud-event.ts';
import type { UndeliveredEvent } from '../postgres/forwarder-store.ts';
import type { Outgoing } from './batches.ts';
import { messageBytes, toFeedMessage } from './feed-message.ts';
import type { ContentMode } from './options.ts';

/** A message that knows its event. */
export interface EventMessage extends Outgoing {
  readonly event: StoredEvent;
}

/** A page of the log as messages, in the log's order. */
export interface FeedPage {
  readonly position: Position;
  readonly caughtUp: boolean;
  readonly messages: readonly EventMessage[];
  /** Events that no message can be made of. */
  readonly undelivered: readonly UndeliveredEvent[];
}

export interface FeedMapping {
  readonly decode: (stored: StoredEvent) => DecodedEvent | undefined;
  readonly prefix: string;
  /** Behind the names of topics; absent: nothing. */
  readonly suffix?: string | undefined;
  readonly dataSchemas?: DataSchemas | undefined;
  readonly contentMode: ContentMode;
  readonly partitionOf: (key: string, topic: string) => number;
}

export function toFeedPage(page: LogPage, mapping: FeedMapping): FeedPage {
  const messages: EventMessage[] = [];
  const undelivered: UndeliveredEvent[] = [];
  for (const event of page.events) {
    try {
      const message = toMessage(event, mapping);
      if (message) messages.push(message);
    } catch (error) {
      undelivered.push(toUndelivered(event, error));
    }
  }
  return { position: page.position, caughtUp: page.caughtUp, messages, undelivered };
}

export function toUndelivered(
  { position, stream, revision, type }: StoredEvent,
  error: unknown,
): UndeliveredEvent {
  return { position, stream, revision, type, error: error instanceof Error ? error.message : String(error) };
}

/** undefined: not public. An event of a type this version does not know may be public: it must not be passed over. */
function toMessage(
  event: StoredEvent,
  { decode, prefix, suffix = '', dataSchemas, contentMode, partitionOf }: FeedMapping,
): EventMessage | undefined {
  const decoded = decode(event);
  if (!decoded) throw new UnknownEventError(event);
  const outgoing = toCloudEvent(decoded, dataSchemas);
  if (!outgoing) return undefined;
  const message = toFeedMessage(outgoing, { prefix, suffix }, contentMode);
  const partition = partitionOf(message.key, message.topic);
  return { ...message, partition, bytes: messageBytes(message), event };
}
