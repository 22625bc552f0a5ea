import { decodeEvent } from '../../commands/decode-event.ts';
import type { LogPage, Position, StoredEvent } from '../../commands/ports.ts';
import { jobStream } from '../../domain/job/stream.ts';
import type { DataSchemas } from '../cloudevents/data-schema.ts';
import { publicStreams } from '../cloudevents/public-streams.ts';
import { type OutgoingEvent, toCloudEvent } from '../cloudevents/to-cloud-event.ts';
import { eventAsSeen } from './as-seen.ts';
import type { Redaction } from './redaction.ts';

/** Which of a tenant's public events a reader wants. */
export interface FeedFilter {
  readonly tenantId: string;
  readonly types?: readonly string[] | undefined;
  readonly queue?: string | undefined;
  readonly jobId?: string | undefined;
  /** What the reader must not see. */
  readonly redaction: Redaction | null;
}

export interface FeedItem {
  readonly position: Position;
  readonly event: OutgoingEvent;
}

/** Stream prefixes that hold everything the filter can match, and little else. */
export const prefixesOf = ({ tenantId, jobId }: FeedFilter): readonly string[] =>
  jobId === undefined ? publicStreams(tenantId) : [jobStream(tenantId, jobId)];

export const publicItems = (page: LogPage, filter: FeedFilter, schemas: DataSchemas): readonly FeedItem[] =>
  page.events.flatMap((stored) => publicItem(stored, filter, schemas));

function publicItem(stored: StoredEvent, filter: FeedFilter, schemas: DataSchemas): readonly FeedItem[] {
  const decoded = decodeEvent(stored);
  // Prefixes are the log's affair; whose event it is, is checked here once more.
  if (decoded?.tenantId !== filter.tenantId) return [];
  const event = toCloudEvent(eventAsSeen(decoded, filter.redaction), schemas);
  if (!event || !matches(event, filter)) return [];
  return [{ position: stored.position, event }];
}

const matches = (event: OutgoingEvent, { types, queue, jobId }: FeedFilter): boolean =>
  (types === undefined || types.includes(event.type)) &&
  (queue === undefined || event.queue === queue) &&
  (jobId === undefined || event.jobId === jobId);
