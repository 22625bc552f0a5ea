import type { OutgoingEvent } from '../cloudevents/to-cloud-event.ts';
import type { ContentMode } from './options.ts';

/** A public event as a Kafka message. */
export interface FeedMessage {
  /** With prefix and suffix. */
  readonly topic: string;
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

const STRUCTURED = { 'content-type': 'application/cloudevents+json' } as const;

/** What is put around an event's type to name its topic. */
export interface TopicName {
  readonly prefix: string;
  readonly suffix: string;
}

/** As CloudEvents' binding to Kafka has it. The key keeps a tenant's events in order. */
export function toFeedMessage(
  event: OutgoingEvent,
  { prefix, suffix }: TopicName,
  mode: ContentMode,
): FeedMessage {
  const place = { topic: `${prefix}${event.type}${suffix}`, key: event.tenantId };
  if (mode === 'structured') return { ...place, value: event.json, headers: STRUCTURED };
  const { datacontenttype, ...attributes } = event.attributes;
  const headers: Record<string, string> = { 'content-type': datacontenttype };
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) headers[`ce_${name}`] = value;
  }
  return { ...place, value: event.data, headers };
}

/** Bytes of a message in a batch, an upper bound for what the record needs besides key, value and headers included. */
export function messageBytes({ key, value, headers }: FeedMessage): number {
  let bytes = 32 + Buffer.byteLength(key) + Buffer.byteLength(value);
  for (const name in headers) bytes += 8 + name.length + Buffer.byteLength(headers[name] ?? '');
  return bytes;
}
