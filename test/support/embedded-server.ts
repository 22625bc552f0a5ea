import { startEmbeddedPostgres } from '../../src/adapters/postgres/embedded-postgres.ts';
import { noLogger } from '../../src/commands/telemetry.ts';

/** A process with an embedded PostgreSQL in the folder given, for tests that kill it. Prints one line when it is ready. */
try {
  const server = await startEmbeddedPostgres({ dataDir: process.argv[2] ?? '', logger: noLogger });
  process.once('SIGTERM', () => void server.stop().then(() => process.exit(0)));
  console.log(JSON.stringify({ url: server.url, pid: server.pid() }));
} catch (error) {
  console.log(JSON.stringify({ error: (error as Error).message }));
  process.exitCode = 1;
}
