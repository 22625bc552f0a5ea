import { randomBytes } from 'node:crypto';
import { createPostgresEventLog, type PostgresEventLog } from '../../src/adapters/postgres/event-log.ts';
import { createForwarderStatus } from '../../src/adapters/postgres/forwarder-status.ts';
import { systemClock } from '../../src/adapters/system.ts';
import { noMetrics } from '../../src/commands/telemetry.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { lastPosition } from './last-position.ts';
import { waitUntil } from './wait-until.ts';

/** A log and topics of one's own. */
export async function feedSetUp(brokers: readonly string[]) {
  const database: TestDatabase = await createDatabase();
  const log: PostgresEventLog = createPostgresEventLog({ pool: database.pool });
  const status = createForwarderStatus({
    pool: database.pool,
    log,
    clock: systemClock,
    metrics: noMetrics,
  });
  return {
    url: database.url,
    pool: database.pool,
    log,
    brokers,
    prefix: `t${randomBytes(6).toString('hex')}.`,
    status,
    caughtUp: () =>
      waitUntil(
        'the forwarder has caught up',
        async () => {
          const state = await status.read();
          const isAll = state.position >= (await lastPosition(database.pool));
          return state.status === 'live' && isAll ? state : undefined;
        },
        { timeoutMs: 80_000 },
      ),
    async [Symbol.asyncDispose]() {
      await log.close();
      await database[Symbol.asyncDispose]();
    },
  };
}
