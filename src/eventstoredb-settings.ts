import { z } from 'zod';
import { setting } from './setting.ts';

/** Where the log is, if it is not in PostgreSQL. */
export interface EventStoreDbSettings {
  readonly connectionString: string;
  readonly streamPrefix: string;
}

/** An append may have 1 MiB with all that is around its payload. */
const LARGEST_PAYLOAD_BYTES = 983_040;

export const EVENTSTOREDB_SETTINGS = {
  EVENTSTOREDB_URL: setting(
    z
      .string()
      .regex(/^esdb(\+discover)?:\/\/\S+$/, 'must look like esdb://user:password@host:2113')
      .optional(),
    '',
    'EventStoreDB 23.10 or later that holds the event log, as `esdb://user:password@host:2113?tls=true`. Not set: PostgreSQL holds it',
  ),
  EVENTSTOREDB_STREAM_PREFIX: setting(
    z.string().regex(/^[A-Za-z0-9][\w.:-]{0,63}$/, 'must be up to 64 letters, digits and _.:-'),
    'eventzr.',
    'Begins the name of every stream. Nothing else in that EventStoreDB may begin with it',
  ),
} as const;

interface Values {
  readonly EVENTSTOREDB_URL?: string | undefined;
  readonly EVENTSTOREDB_STREAM_PREFIX: string;
  readonly MAX_PAYLOAD_BYTES: number;
}

export function eventStoreDbProblems({ EVENTSTOREDB_URL, MAX_PAYLOAD_BYTES }: Values): readonly string[] {
  if (EVENTSTOREDB_URL === undefined || MAX_PAYLOAD_BYTES <= LARGEST_PAYLOAD_BYTES) return [];
  return [
    `MAX_PAYLOAD_BYTES: EventStoreDB takes ${LARGEST_PAYLOAD_BYTES} at most, not "${MAX_PAYLOAD_BYTES}"`,
  ];
}

/** undefined: no EventStoreDB. */
export function eventStoreDbSettings(values: Values): EventStoreDbSettings | undefined {
  const { EVENTSTOREDB_URL: connectionString, EVENTSTOREDB_STREAM_PREFIX: streamPrefix } = values;
  return connectionString === undefined ? undefined : { connectionString, streamPrefix };
}
