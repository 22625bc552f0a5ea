import { dockerAnswers } from '../containers.ts';

/**
 * Vitest's global set-up for TEST_LOG=eventstoredb: the one at EVENTSTOREDB_URL, else one in a container where Docker
 * answers, else one that stands in for it. Suites find a real one by EVENTSTOREDB_URL.
 */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.TEST_LOG !== 'eventstoredb') return undefined;
  if (process.env.EVENTSTOREDB_URL) {
    process.env.TEST_EVENTSTOREDB_URL = process.env.EVENTSTOREDB_URL;
    return undefined;
  }
  if (dockerAnswers()) {
    const { startEventStoreDbContainer } = await import('./container.ts');
    const container = await startEventStoreDbContainer();
    process.env.EVENTSTOREDB_URL = container.url;
    process.env.TEST_EVENTSTOREDB_URL = container.url;
    return () => container.stop();
  }
  console.warn(
    'no EVENTSTOREDB_URL, and Docker does not answer: a server of our own stands in for EventStoreDB',
  );
  const { EventStoreDbServer } = await import('./server.ts');
  const server = await EventStoreDbServer.start();
  process.env.TEST_EVENTSTOREDB_URL = server.url;
  return async () => server.stop();
}
