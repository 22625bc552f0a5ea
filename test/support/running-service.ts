import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type pg from 'pg';
import { createApiKey, type NewApiKey } from '../../src/adapters/postgres/api-keys.ts';
import { JobsClient } from '../../src/sdk/index.ts';
import { logSettings } from './log-in-use.ts';
import { waitUntil } from './wait-until.ts';

/** A server process that answers, and how to end it. */
export interface RunningService extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** Of the embedded PostgreSQL only. */
  readonly devKey: string | undefined;
  output(): string;
  /** Sends the signal and waits for the end. Answers the exit code. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

interface ReadyLine {
  readonly url: string;
  readonly devKey?: string;
}

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;

/** Runs src/main.ts as a process of its own: on DATABASE_URL, or on an embedded PostgreSQL in DATA_DIR. */
export async function startServer(env: Readonly<Record<string, string>>): Promise<RunningService> {
  const { DATABASE_URL: _, EVENTSTOREDB_URL: __, ...environment } = process.env;
  const child = spawn(process.execPath, [MAIN], {
    env: { ...environment, PORT: '0', LOG_LEVEL: 'info', ...logSettings(env.DATABASE_URL), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  }
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const ready = await waitUntil(
    'the server is ready',
    () => {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${text}`);
      // The last one may not be whole yet.
      const lines = text.split('\n').slice(0, -1);
      const line = lines.find((candidate) => candidate.includes('"server.ready"'));
      return line === undefined ? undefined : (JSON.parse(line) as ReadyLine);
    },
    { timeoutMs: 120_000 },
  );
  const end = (signal: NodeJS.Signals) => {
    if (isRunning(child)) child.kill(signal);
    return ended;
  };
  return {
    url: ready.url,
    devKey: ready.devKey,
    pid: child.pid ?? 0,
    output: () => text,
    end,
    async [Symbol.asyncDispose]() {
      await end('SIGKILL');
    },
  };
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

/**
 * A port that nobody listens on: for servers that come back at the same address. Below those that the system hands out by
 * itself, or another test could be given it while its server is not up.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(10_000, 32_000);
    const probe = createServer().listen(port, '127.0.0.1');
    const isFree = await once(probe, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
  throw new Error('no free port was found');
}

/** A key for one tenant or for all; `url` may be of a server that is not up yet. */
export async function apiKey(pool: pg.Pool, tenants: NewApiKey['tenants'] = ['acme']): Promise<string> {
  return (await createApiKey(pool, { name: 'test', tenants, role: 'admin' })).token;
}

export const clientOf = (
  url: string,
  key: string,
  options: { tries?: number; timeoutMs?: number; tenant?: string } = {},
) => new JobsClient({ url, apiKey: key, ...options });
