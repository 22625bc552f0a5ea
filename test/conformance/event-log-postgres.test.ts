import { createPostgresEventLog } from '../../src/adapters/postgres/event-log.ts';
import { createDatabase } from '../support/database.ts';
import { exerciseEventLog } from './event-log.ts';

exerciseEventLog('Postgres', async () => {
  const database = await createDatabase();
  const log = createPostgresEventLog({ pool: database.pool });
  return {
    log,
    async [Symbol.asyncDispose]() {
      await log.close();
      await database[Symbol.asyncDispose]();
    },
  };
});
