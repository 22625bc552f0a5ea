import { existsSync, readFileSync } from 'node:fs';
import { checkDatabase } from './adapters/postgres/check-database.ts';
import { startEmbeddedPostgres } from './adapters/postgres/embedded-postgres.ts';
import { banner, exampleCommand, type Ready } from './adapters/process/banner.ts';
import { devKey } from './adapters/process/dev-key.ts';
import { createLogger } from './adapters/process/logger.ts';
import { checkPort } from './adapters/process/port-check.ts';
import { crash, shutDownOnSignals } from './adapters/process/shutdown.ts';
import { StartupError } from './adapters/process/startup-error.ts';
import type { Logger } from './commands/telemetry.ts';
import { type Config, HELP, readConfig } from './config.ts';
import { startDemo } from './demo.ts';
import { startService } from './service.ts';

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '::1']);

/** Composition root: configuration, database, service, and the way back. */
async function main(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const invocation = readConfig(process.argv.slice(2), process.env);
  if (invocation.kind === 'help') {
    process.stdout.write(HELP);
    return;
  }
  const { config } = invocation;
  const logger = createLogger(config.logLevel);
  // What has been started, in order; stopped in reverse, at whatever point of the start a signal comes.
  const started = new AsyncDisposableStack();
  shutDownOnSignals(() => started.disposeAsync(), config.shutdownMs, logger);
  try {
    await start(config, logger, started);
  } catch (error) {
    if (started.disposed) return;
    await started.disposeAsync();
    throw error;
  }
}

async function start(config: Config, logger: Logger, started: AsyncDisposableStack): Promise<void> {
  await checkPort(config.host, config.port);
  const database = await openDatabase(config, logger, started);
  const service = await startService({ config, logger, databaseUrl: database.url, devKey: database.devKey });
  started.defer(() => service.stop());
  if (config.demo && database.devKey !== undefined) {
    started.defer(await startDemo({ url: service.url, apiKey: database.devKey }));
  }
  const ready = {
    version: version(),
    url: service.url,
    database: database.description,
    devKey: database.devKey,
  };
  announce(ready, config, logger);
}

interface Database {
  readonly url: string;
  readonly description: string;
  readonly devKey?: string;
}

async function openDatabase(
  config: Config,
  logger: Logger,
  started: AsyncDisposableStack,
): Promise<Database> {
  if (config.databaseUrl !== undefined) {
    await checkDatabase(config.databaseUrl);
    const { host, pathname } = new URL(config.databaseUrl);
    return { url: config.databaseUrl, description: `PostgreSQL at ${host}${pathname}` };
  }
  const server = await startEmbeddedPostgres({ dataDir: config.dataDir, logger });
  started.defer(server.stop);
  void server.lost.then((error) => crash(error, logger));
  return {
    url: server.url,
    description: `${server.folder.path} (embedded PostgreSQL)`,
    devKey: await devKey(server.folder),
  };
}

function announce(ready: Ready, config: Config, logger: Logger): void {
  const { url, devKey: key } = ready;
  if (process.stdout.isTTY) {
    process.stdout.write(banner(ready));
    return;
  }
  const place = { pid: process.pid, url, docs: `${url}/docs` };
  // The key opens nothing but this machine's own port, and must be found where there is no terminal, too.
  const access = LOOPBACK.has(config.host) ? { devKey: key, example: exampleCommand(ready) } : {};
  logger.info({ ...place, ...access }, 'server.ready');
}

function version(): string {
  const file = new URL('../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

main().catch((error: unknown) => {
  // Expected problems are told in one line; anything else is a bug, and its stack is what helps.
  process.stderr.write(
    `eventzr-jobs: ${error instanceof StartupError ? error.message : (error as Error).stack}\n`,
  );
  process.exitCode = 1;
  // Nothing may keep a process alive that did not start.
  setTimeout(() => process.exit(), 1_000).unref();
});
