import { decodeEvent } from '../../commands/decode-event.ts';
import type { DecodedEvent } from '../../commands/decoded-event.ts';
import type { StoredEvent } from '../../commands/ports.ts';
import { eventId } from '../cloudevents/event-id.ts';
import { publicEvent } from '../cloudevents/public-event.ts';
import { eventAsSeen } from './as-seen.ts';
import type { Redaction } from './redaction.ts';
import { formatTime } from './rfc3339.ts';

/** A page of a job's history as JSON text; `events` may hold one more than the limit, to know whether there is more. */
export function historyToJson(
  events: readonly StoredEvent[],
  limit: number,
  redaction: Redaction | null,
): string {
  const data = events
    .slice(0, limit)
    .map((stored) => decodeEvent(stored))
    .filter((decoded) => decoded !== undefined)
    .map((decoded) => historyEvent(eventAsSeen(decoded, redaction)));
  const next = events[limit]?.revision ?? null;
  return `{"data":[${data.join(',')}],"nextRevision":${next}}`;
}

function historyEvent(decoded: DecodedEvent): string {
  const { stream, revision, position, recordedAt, metadata, event } = decoded;
  const fields = JSON.stringify({
    id: eventId(stream, revision),
    revision,
    position: String(position),
    event: event.type,
    type: publicEvent(decoded)?.type ?? null,
    occurredAt: formatTime(metadata.occurredAt),
    recordedAt: formatTime(recordedAt),
    actor: metadata.actor,
    correlationId: metadata.correlationId,
    causationId: metadata.causationId,
    requestId: metadata.requestId ?? null,
  });
  return `${fields.slice(0, -1)},"data":${eventData(event.data)}}`;
}

const TIMES: ReadonlySet<string> = new Set(['runAt', 'deadlineAt', 'forceAt', 'until']);
/** The secret of an attempt never leaves. */
const SECRETS: ReadonlySet<string> = new Set(['leaseId']);
const CONTENT: ReadonlySet<string> = new Set(['payload', 'result']);

function eventData(data: object): string {
  const members: string[] = [];
  for (const [name, value] of Object.entries(data)) {
    if (value === undefined || SECRETS.has(name)) continue;
    members.push(`${JSON.stringify(name)}:${member(name, value)}`);
  }
  return `{${members.join(',')}}`;
}

function member(name: string, value: unknown): string {
  if (CONTENT.has(name)) return String(value);
  if (TIMES.has(name) && typeof value === 'number') return JSON.stringify(formatTime(value));
  return JSON.stringify(value);
}
