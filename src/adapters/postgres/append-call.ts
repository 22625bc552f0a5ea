import type pg from 'pg';
import { type AppendRequest, LOG_START, type Position, type StoredEvent } from '../../commands/ports.ts';
import { asJsonText } from '../../domain/json-text.ts';
import type { EventMetadata } from '../../domain/metadata.ts';
import { asText } from './log-row.ts';

/** What the log answered for one stream. */
export type WriteResult =
  | { readonly kind: 'written'; readonly position: Position }
  | { readonly kind: 'differs'; readonly actualRevision: number };

export interface CallAnswer {
  /** One a request, in their order. */
  readonly results: readonly WriteResult[];
  /** The events that were written, as a reader will see them, by position. */
  stored(): readonly StoredEvent[];
}

/**
 * One round trip that appends to many streams, no stream twice. All of it is committed, or none when it throws with
 * an SQL error; any other error leaves the outcome unknown. recordedAt: undefined for the server's clock.
 */
export async function callAppend(
  pool: pg.Pool,
  requests: readonly AppendRequest[],
  timeoutMs: number,
  recordedAt?: number,
): Promise<CallAnswer> {
  const order = requests.map((_, index) => index).sort(byStream(requests));
  const sorted = order.map((index) => requests[index]).filter((request) => request !== undefined);
  const query = {
    name: 'append_events',
    text: APPEND,
    values: encode(sorted, recordedAt),
    rowMode: 'array' as const,
    types: asText,
    // Read by node-postgres though missing from its types: the caller is freed even when the server never answers.
    query_timeout: timeoutMs,
  };
  const { rows } = await pool.query<AnswerRow>(query);
  const [actual, positions, stampedAt] = rows[0] ?? ['', null, ''];
  const answer = {
    actual: elements(actual),
    positions: positions === null ? [] : elements(positions).map(BigInt),
  };
  return {
    results: resultsOf(sorted, order, answer),
    stored: () => storedEvents(sorted, answer, Number(stampedAt)),
  };
}

type AnswerRow = [actual: string, positions: string | null, stampedAt: string];

interface Answer {
  readonly actual: readonly string[];
  readonly positions: readonly Position[];
}

function byStream(requests: readonly AppendRequest[]): (left: number, right: number) => number {
  return (left, right) => {
    const a = requests[left]?.stream ?? '';
    const b = requests[right]?.stream ?? '';
    return a < b ? -1 : a > b ? 1 : 0;
  };
}

function encode(
  requests: readonly AppendRequest[],
  recordedAt: number | undefined,
): (string | number | null)[] {
  const streams: string[] = [];
  const expected: number[] = [];
  const eventStreams: string[] = [];
  const revisions: number[] = [];
  const types: string[] = [];
  const versions: number[] = [];
  const data: string[] = [];
  const metadata: string[] = [];
  const contents: string[] = [];
  let hasContent = false;
  let lastMetadata: EventMetadata | undefined;
  let lastText = '';
  for (const { stream, expectedRevision, events } of requests) {
    streams.push(stream);
    expected.push(expectedRevision);
    let revision = expectedRevision;
    for (const event of events) {
      revision += 1;
      if (event.metadata !== lastMetadata) {
        lastMetadata = event.metadata;
        lastText = JSON.stringify(lastMetadata);
      }
      hasContent ||= event.content !== undefined;
      eventStreams.push(stream);
      revisions.push(revision);
      types.push(event.type);
      versions.push(event.schemaVersion);
      data.push(onOneLine(event.data));
      metadata.push(lastText);
      contents.push(event.content === undefined ? '' : onOneLine(event.content));
    }
  }
  return [
    streams.join('\n'),
    `{${expected.join(',')}}`,
    eventStreams.length === streams.length ? null : eventStreams.join('\n'),
    `{${revisions.join(',')}}`,
    oneForAll(types).join('\n'),
    `{${oneForAll(versions).join(',')}}`,
    data.join('\n'),
    oneForAll(metadata).join('\n'),
    hasContent ? contents.join('\n') : null,
    recordedAt ?? null,
  ];
}

/** Most calls carry one command for many jobs: what its events have in common travels once. */
function oneForAll<Value>(values: readonly Value[]): readonly Value[] {
  const [first] = values;
  return values.every((value) => value === first) ? values.slice(0, 1) : values;
}

/** Between JSON's tokens a line break means as much as a space, and inside its strings there is none. */
const onOneLine = (json: string): string => (json.includes('\n') ? json.replaceAll('\n', ' ') : json);

function resultsOf(
  sorted: readonly AppendRequest[],
  order: readonly number[],
  { actual, positions }: Answer,
): readonly WriteResult[] {
  const results = new Array<WriteResult>(sorted.length);
  let written = 0;
  sorted.forEach((request, place) => {
    const actualRevision = Number(actual[place]);
    const index = order[place] ?? 0;
    if (actualRevision === request.expectedRevision) {
      written += request.events.length;
      results[index] = { kind: 'written', position: positions[written - 1] ?? LOG_START };
    } else {
      results[index] = { kind: 'differs', actualRevision };
    }
  });
  if (written !== positions.length)
    throw new Error('the log wrote another number of events than it was given');
  return results;
}

function storedEvents(
  sorted: readonly AppendRequest[],
  { actual, positions }: Answer,
  recordedAt: number,
): readonly StoredEvent[] {
  const stored: StoredEvent[] = [];
  sorted.forEach(({ stream, expectedRevision, events }, place) => {
    if (Number(actual[place]) !== expectedRevision) return;
    let revision = expectedRevision;
    for (const { type, schemaVersion, data, content, metadata } of events) {
      revision += 1;
      stored.push({
        type,
        schemaVersion,
        data: onOneLine(data),
        content: content === undefined ? undefined : asJsonText(onOneLine(content)),
        metadata,
        stream,
        revision,
        position: positions[stored.length] ?? LOG_START,
        recordedAt,
      });
    }
  });
  return stored;
}

/** Of an array of numbers in Postgres' text form, `{1,2}`. */
const elements = (text: string): readonly string[] => text.slice(1, -1).split(',');

const APPEND = `
select actual, positions, stamped_at
from append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`;
