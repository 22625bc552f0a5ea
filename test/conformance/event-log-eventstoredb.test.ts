import { createEventStoreDbLog } from '../../src/adapters/eventstoredb/event-log.ts';
import { useEventStoreDb } from '../support/eventstoredb/database-in-use.ts';
import { exerciseEventLog } from './event-log.ts';

exerciseEventLog('EventStoreDB', async () => {
  const database = await useEventStoreDb();
  const log = createEventStoreDbLog(database);
  return {
    log,
    truncatedStaysInLog: true,
    async [Symbol.asyncDispose]() {
      await log.close();
      await database[Symbol.asyncDispose]();
    },
  };
});
