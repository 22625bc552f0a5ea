import type { StoredEvent } from '../../commands/ports.ts';
import { asJsonText } from '../../domain/json-text.ts';
import type { EventMetadata } from '../../domain/metadata.ts';

/** Text of the columns, in the order of LOG_COLUMNS. */
export type LogRow = readonly [
  position: string,
  recordedAt: string,
  revision: string,
  schemaVersion: string,
  stream: string,
  type: string,
  data: string,
  metadata: string,
  content: string | null,
];

export const LOG_COLUMNS =
  'position, recorded_at, revision, schema_version, stream, type, data, metadata, content';
export const LOG_COLUMNS_WITHOUT_CONTENT =
  'position, recorded_at, revision, schema_version, stream, type, data, metadata, null';

/** Leaves every column as the text that came over the wire: rows are read by the million. */
export const asText = { getTypeParser: () => (text: string) => text };

/** Makes events of rows. Neighbours usually come from one command, so equal metadata becomes one shared object. */
export function toEvents(rows: readonly LogRow[]): StoredEvent[] {
  let text = '';
  let metadata: EventMetadata | undefined;
  return rows.map((row) => {
    if (metadata === undefined || row[7] !== text) {
      text = row[7];
      metadata = JSON.parse(text) as EventMetadata;
    }
    return {
      type: row[5],
      schemaVersion: Number(row[3]),
      data: row[6],
      content: row[8] === null ? undefined : asJsonText(row[8]),
      metadata,
      stream: row[4],
      revision: Number(row[2]),
      position: BigInt(row[0]),
      recordedAt: Number(row[1]),
    };
  });
}
