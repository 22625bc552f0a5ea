import { expect } from 'vitest';
import type { JobsClient } from '../../src/sdk/index.ts';
import { type CliResult, runCli } from './cli.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { logSettings } from './log-in-use.ts';
import { apiKey, clientOf, startServer } from './running-service.ts';
import { tempFolder } from './temp-folder.ts';

/** A real server, and the command line program set up for it. */
export interface CliService extends AsyncDisposable {
  readonly url: string;
  readonly key: string;
  readonly client: JobsClient;
  readonly database: TestDatabase;
  /** Where the program runs. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  jobs(...args: string[]): Promise<CliResult>;
  /** The document of a command that must succeed. */
  // biome-ignore lint/suspicious/noExplicitAny: what tests look into as they like
  json(...args: string[]): Promise<any>;
  /** The id of a new job. */
  enqueued(...args: string[]): Promise<string>;
}

export async function cliService(settings: Readonly<Record<string, string>> = {}): Promise<CliService> {
  const parts = new AsyncDisposableStack();
  const database = parts.use(await createDatabase());
  const { path: folder } = parts.use(await tempFolder());
  const { url } = parts.use(await startServer({ DATABASE_URL: database.url, ...settings }));
  const key = await apiKey(database.pool, '*');
  const connection = { JOBS_URL: url, JOBS_API_KEY: key, JOBS_TENANT: 'acme', DATABASE_URL: database.url };
  const env = { ...logSettings(database.url), ...connection };
  const jobs = (...args: string[]): Promise<CliResult> => runCli(args, { env, cwd: folder });
  const json: CliService['json'] = async (...args) => {
    const { code, out, err } = await jobs(...args, '--json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    return JSON.parse(out);
  };
  return {
    url,
    key,
    client: clientOf(url, key, { tenant: 'acme' }),
    database,
    folder,
    env,
    jobs,
    json,
    enqueued: async (...args) => (await json('enqueue', ...args)).id,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
