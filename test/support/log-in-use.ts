import type { PartsOptions } from '../../src/parts.ts';

/**
 * Where the log of a test's database is: in PostgreSQL, or with TEST_LOG=eventstoredb in EventStoreDB, under a prefix of
 * its own.
 */
export function logOf(databaseUrl: string): Pick<PartsOptions, 'eventStoreDb'> {
  const connectionString = process.env.TEST_EVENTSTOREDB_URL;
  if (!connectionString) return {};
  return { eventStoreDb: { connectionString, streamPrefix: `${new URL(databaseUrl).pathname.slice(1)}.` } };
}

/** The same as settings of a server. */
export function logSettings(databaseUrl: string | undefined): Readonly<Record<string, string>> {
  const { eventStoreDb } = databaseUrl === undefined ? {} : logOf(databaseUrl);
  return eventStoreDb
    ? {
        EVENTSTOREDB_URL: eventStoreDb.connectionString,
        EVENTSTOREDB_STREAM_PREFIX: eventStoreDb.streamPrefix,
      }
    : {};
}
