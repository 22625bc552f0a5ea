import type pg from 'pg';
import type { AppendRequest } from '../../commands/ports.ts';
import type { EventMetadata } from '../../domain/metadata.ts';
import { asText } from './log-row.ts';

/** What the log answered for one stream. */
export type WriteResult =
  | { readonly kind: 'written'; readonly position: bigint }
  | { readonly kind: 'differs'; readonly actualRevision: number };

/**
 * One round trip that appends to many streams, no stream twice. All of it is committed, or none when it throws with
 * an SQL error; any other error leaves the outcome unknown. recordedAt: undefined for the server's clock.
 */
export async function callAppend(
  pool: pg.Pool,
  requests: readonly AppendRequest[],
  timeoutMs: number,
  recordedAt?: number,
): Promise<readonly WriteResult[]> {
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
  const { rows } = await pool.query<[actual: string, positions: string | null]>(query);
  return decode(sorted, order, rows[0] ?? ['', null]);
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
    types.join('\n'),
    `{${versions.join(',')}}`,
    data.join('\n'),
    metadata.join('\n'),
    hasContent ? contents.join('\n') : null,
    recordedAt ?? null,
  ];
}

/** Between JSON's tokens a line break means as much as a space, and inside its strings there is none. */
const onOneLine = (json: string): string => (json.includes('\n') ? json.replaceAll('\n', ' ') : json);

function decode(
  sorted: readonly AppendRequest[],
  order: readonly number[],
  [actualText, positionsText]: readonly [actual: string, positions: string | null],
): readonly WriteResult[] {
  const actual = elements(actualText);
  const positions = positionsText === null ? [] : elements(positionsText);
  const results = new Array<WriteResult>(sorted.length);
  let written = 0;
  sorted.forEach((request, place) => {
    const actualRevision = Number(actual[place]);
    const index = order[place] ?? 0;
    if (actualRevision !== request.expectedRevision) {
      results[index] = { kind: 'differs', actualRevision };
      return;
    }
    written += request.events.length;
    results[index] = { kind: 'written', position: BigInt(positions[written - 1] ?? Number.NaN) };
  });
  if (written !== positions.length)
    throw new Error('the log wrote another number of events than it was given');
  return results;
}

/** Of an array of numbers in Postgres' text form, `{1,2}`. */
const elements = (text: string): readonly string[] => text.slice(1, -1).split(',');

const APPEND = `
select actual, positions
from append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`;
