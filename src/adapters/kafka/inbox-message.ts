import type { KafkaMessage } from 'kafkajs';
import type { InboundMessage } from '../../commands/inbound/inbound-event.ts';
import type { InboxDeadLetter } from '../../commands/inbound/inbox-dead-letters.ts';
import { isBinaryCloudEvent } from '../../commands/inbound/parse-message.ts';

/** A message that came from a topic. */
export type TopicMessage = InboundMessage & { readonly topic: string };

/** undefined: a tombstone, which tells nothing but that a key is to be forgotten. */
export function toInboundMessage(
  topic: string,
  partition: number,
  { key, value, headers, timestamp, offset }: KafkaMessage,
): TopicMessage | undefined {
  const known = headers ? headersOf(headers) : {};
  // In binary mode a CloudEvent without data has no value either.
  if (value === null && !isBinaryCloudEvent(known)) return undefined;
  const sentAt = Math.max(0, Number(timestamp));
  return {
    topic,
    key: key?.toString('utf8') ?? null,
    value: value ?? Buffer.alloc(0),
    headers: known,
    sentAt,
    place: placeOf({ topic, partition, offset, sentAt }),
  };
}

/** A dead letter as the message that it was, its value edited or not. */
export const fromDeadLetter = (letter: InboxDeadLetter): InboundMessage => ({
  topic: letter.topic,
  key: letter.key,
  value: letter.value,
  headers: letter.headers,
  sentAt: letter.sentAt,
  place: placeOf(letter),
});

/** Offsets start over when a topic is made anew; the time tells the two apart. */
const placeOf = ({
  topic,
  partition,
  offset,
  sentAt,
}: {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly sentAt: number;
}): string => `${topic}-${partition}-${offset}-${sentAt}`;

function headersOf(headers: NonNullable<KafkaMessage['headers']>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const last = Array.isArray(value) ? value.at(-1) : value;
    if (last !== undefined) found[name.toLowerCase()] = last.toString();
  }
  return found;
}
