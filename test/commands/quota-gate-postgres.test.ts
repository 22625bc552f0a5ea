import { createPostgresEventLog, type PostgresEventLog } from '../../src/adapters/postgres/event-log.ts';
import { createDatabase } from '../support/database.ts';
import { exerciseQuotaGate } from './quota-gate-suite.ts';

exerciseQuotaGate('Postgres', async () => {
  const database = await createDatabase();
  const logs: PostgresEventLog[] = [];
  return {
    open() {
      const log = createPostgresEventLog({ pool: database.pool });
      logs.push(log);
      return log;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(logs.map((log) => log.close()));
      await database[Symbol.asyncDispose]();
    },
  };
});
