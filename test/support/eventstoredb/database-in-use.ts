import { randomBytes } from 'node:crypto';
import { EventStoreDbServer } from './server.ts';

/** An EventStoreDB with nothing in it under this prefix. */
export interface EventStoreDbInUse extends AsyncDisposable {
  readonly connectionString: string;
  readonly streamPrefix: string;
}

/** The one at EVENTSTOREDB_URL, or else one that stands in for it. */
export async function useEventStoreDb(): Promise<EventStoreDbInUse> {
  const real = process.env.EVENTSTOREDB_URL;
  const server = real ? undefined : await EventStoreDbServer.start();
  return {
    connectionString: real ?? server?.url ?? '',
    streamPrefix: `test-${randomBytes(6).toString('hex')}.`,
    async [Symbol.asyncDispose]() {
      server?.stop();
    },
  };
}
