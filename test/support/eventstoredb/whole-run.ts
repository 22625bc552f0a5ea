/** Vitest's global set-up for TEST_LOG=eventstoredb: the one at EVENTSTOREDB_URL, or one that stands in for it. */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.TEST_LOG !== 'eventstoredb') return undefined;
  if (process.env.EVENTSTOREDB_URL) {
    process.env.TEST_EVENTSTOREDB_URL = process.env.EVENTSTOREDB_URL;
    return undefined;
  }
  const { EventStoreDbServer } = await import('./server.ts');
  const server = await EventStoreDbServer.start();
  process.env.TEST_EVENTSTOREDB_URL = server.url;
  return async () => server.stop();
}
