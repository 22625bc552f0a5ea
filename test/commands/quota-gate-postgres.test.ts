import { createPostgresEventLog, type PostgresEventLog } from '../../src/adapters/postgres/event-log.ts';
import { createDatabase } from '../support/database.ts';
import type { LogForGates } from '../support/gated.ts';
import { exerciseAdmittedJobs } from './quota-gate-jobs.ts';
import { exerciseLimits } from './quota-gate-limits.ts';
import { exerciseRate } from './quota-gate-rate.ts';

const make = async (): Promise<LogForGates> => {
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
};

exerciseLimits('Postgres', make);
exerciseRate('Postgres', make);
exerciseAdmittedJobs('Postgres', make);
