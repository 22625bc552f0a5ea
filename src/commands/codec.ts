import type { EventMetadata } from '../domain/metadata.ts';
import type { NewEvent, StoredEvent } from './ports.ts';

/**
 * Between an aggregate's events and what the log stores: type + schema version → check → upcast → domain event.
 * decode answers undefined for an event type this version does not know; what to do about it is the reader's decision.
 */
export interface Codec<Event> {
  encode(event: Event, metadata: EventMetadata): NewEvent;
  decode(stored: Pick<StoredEvent, 'type' | 'schemaVersion' | 'data' | 'content'>): Event | undefined;
}
