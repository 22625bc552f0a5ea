import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { type Logger, noLogger } from '../../commands/telemetry.ts';
import { type DataFolder, openDataFolder } from '../process/data-folder.ts';
import { StartupError } from '../process/startup-error.ts';
import { launchAs } from './embedded-account.ts';
import { type PostgresBinaries, postgresBinaries } from './embedded-binaries.ts';
import { cannotOpen, prepareCluster, setPassword } from './embedded-cluster.ts';
import { guardAgainstOrphan } from './embedded-guardian.ts';
import { endOrphan } from './embedded-orphan.ts';
import { launchPostgres, type PostgresProcess, PostgresStartError } from './embedded-process.ts';
import { postgresArguments } from './embedded-settings.ts';

export interface EmbeddedPostgres {
  /** Connection string, with the password; the same across restarts while its port is free. */
  readonly url: string;
  /** Locked for this process while PostgreSQL runs. */
  readonly folder: DataFolder;
  /** Process id of the running PostgreSQL; changes when it had to be started again. */
  pid(): number;
  /** Resolves if PostgreSQL ended and could not be brought back: then the server had better end, too. */
  readonly lost: Promise<Error>;
  /** Stops PostgreSQL cleanly and lets go of the folder. Close all connections before. Safe to call twice. */
  stop(): Promise<void>;
}

/** Holds the connection string: `psql "$(cat .data/database-url)"`. */
const URL_FILE = 'database-url';
/** After a kill, processes of the old PostgreSQL may hold its shared memory for a moment. */
const SHARED_MEMORY_FREE_WITHIN_MS = 30_000;
const RESTARTS_IN_A_ROW = 10;
const STABLE_AFTER_MS = 60_000;
const MAX_PAUSE_MS = 5_000;

/**
 * Runs a PostgreSQL of its own in `dataDir`/postgres, created at the first start, on a port of 127.0.0.1, with a random
 * password. Also as root. Ends what an earlier server left running there, and starts PostgreSQL again if it dies.
 * Throws StartupError with a message for people.
 */
export async function startEmbeddedPostgres(options: {
  readonly dataDir: string;
  readonly logger?: Logger;
  /** Settings of postgresql.conf over the defaults. */
  readonly settings?: Readonly<Record<string, string>>;
}): Promise<EmbeddedPostgres> {
  const logger = options.logger ?? noLogger;
  const binaries = await postgresBinaries();
  const folder = await openDataFolder(options.dataDir);
  const afterwards = new AsyncDisposableStack();
  afterwards.defer(folder.release);
  try {
    const dataDir = await prepareCluster(folder, binaries);
    await endOrphan(dataDir, logger);
    const url = new URL(await connectionString(folder, binaries, dataDir));
    const start = () => launch(folder, binaries, dataDir, Number(url.port), options.settings ?? {}, logger);
    afterwards.defer(guardAgainstOrphan(folder.path, dataDir));
    const supervised = supervise(await start(), start, logger);
    afterwards.defer(supervised.stop);
    let stopping: Promise<void> | undefined;
    return {
      url: url.href,
      folder,
      pid: supervised.pid,
      lost: supervised.lost,
      stop: () => {
        stopping ??= afterwards.disposeAsync();
        return stopping;
      },
    };
  } catch (error) {
    await afterwards.disposeAsync();
    throw error;
  }
}

/** As at the last start if possible, so that connection strings noted elsewhere go on working. */
async function connectionString(
  folder: DataFolder,
  binaries: PostgresBinaries,
  dataDir: string,
): Promise<string> {
  const last = await folder.readSecret(URL_FILE);
  const password = last ? new URL(last).password : await setPassword(folder, binaries, dataDir);
  const port = (last && (await freePort(Number(new URL(last).port)))) || (await freePort(0));
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
  if (url !== last) await folder.writeSecret(URL_FILE, url);
  return url;
}

/** The port, or the one the system chose for 0; undefined when it is taken. */
async function freePort(port: number): Promise<number | undefined> {
  const probe = createServer();
  try {
    probe.listen(port, '127.0.0.1');
    await once(probe, 'listening');
    const address = probe.address();
    return typeof address === 'object' && address !== null ? address.port : undefined;
  } catch {
    return undefined;
  } finally {
    probe.close();
  }
}

async function launch(
  folder: DataFolder,
  binaries: PostgresBinaries,
  dataDir: string,
  port: number,
  settings: Readonly<Record<string, string>>,
  logger: Logger,
): Promise<PostgresProcess> {
  const launchOptions = {
    program: binaries.postgres,
    args: postgresArguments(dataDir, port, settings),
    dataDir,
    launch: await launchAs(folder.account, [binaries.folder, dataDir]),
    logger,
  };
  const deadline = performance.now() + SHARED_MEMORY_FREE_WITHIN_MS;
  for (;;) {
    try {
      return await launchPostgres(launchOptions);
    } catch (error) {
      if (!(error instanceof PostgresStartError)) throw error;
      const transient = /still in use|already exists/.test(error.output);
      if (!transient || performance.now() > deadline) throw cannotOpen(dataDir, error.output);
      await pause(100);
    }
  }
}

/** Starts the process again whenever it ends by itself, after a pause that grows. */
function supervise(first: PostgresProcess, start: () => Promise<PostgresProcess>, logger: Logger) {
  let current = first;
  const stopping = new AbortController();

  async function watch(): Promise<Error | undefined> {
    let failures = 0;
    while (!stopping.signal.aborted) {
      const since = performance.now();
      const reason = await current.ended;
      if (stopping.signal.aborted) break;
      if (performance.now() - since > STABLE_AFTER_MS) failures = 0;
      logger.error({ reason }, 'postgres.ended');
      for (let up = false; !up; ) {
        failures += 1;
        if (failures > RESTARTS_IN_A_ROW) return lostAfter(failures);
        await pause(Math.min(50 * 2 ** failures, MAX_PAUSE_MS), undefined, { signal: stopping.signal }).catch(
          () => {},
        );
        if (stopping.signal.aborted) return undefined;
        up = await start().then(
          (next) => {
            current = next;
            return true;
          },
          (error: Error) => {
            logger.error({ message: error.message }, 'postgres.restart_failed');
            return false;
          },
        );
      }
      logger.info({ pid: current.pid }, 'postgres.restarted');
    }
    return undefined;
  }

  const watching = watch();
  return {
    pid: () => current.pid,
    lost: new Promise<Error>((resolve) => {
      void watching.then((error) => error && resolve(error));
    }),
    async stop() {
      stopping.abort();
      await current.stop();
      await watching;
      // A restart may just have been under way.
      await current.stop();
    },
  };
}

function lostAfter(failures: number): StartupError {
  return new StartupError(
    'postgres_failed',
    `PostgreSQL ended and did not come back after ${failures - 1} attempts`,
  );
}
