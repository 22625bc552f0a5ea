import { randomBytes } from 'node:crypto';
import {
  createEventStoreDbLog,
  type EventStoreDbLogOptions,
} from '../../src/adapters/eventstoredb/event-log.ts';
import { EventStoreDbServer } from '../support/eventstoredb/server.ts';
import type { LogUnderTest } from './event-log.ts';

/** An empty log: on the server at EVENTSTOREDB_URL, or else on one that stands in for it. */
export async function openEventStoreDb(options: Partial<EventStoreDbLogOptions> = {}): Promise<LogUnderTest> {
  const real = process.env.EVENTSTOREDB_URL;
  const server = real ? undefined : await EventStoreDbServer.start();
  const log = createEventStoreDbLog({
    connectionString: real ?? server?.url ?? '',
    streamPrefix: `test-${randomBytes(6).toString('hex')}.`,
    ...options,
  });
  return {
    log,
    truncatedStaysInLog: true,
    async [Symbol.asyncDispose]() {
      await log.close();
      server?.stop();
    },
  };
}
