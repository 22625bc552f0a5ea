import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { waitUntil } from './wait-until.ts';

/** The line that a started service logs. */
export interface ReadyLine {
  readonly pid: number;
  readonly url: string;
  readonly docs: string;
  readonly devKey: string;
  /** A shell command that enqueues a job. */
  readonly example: string;
}

export interface NpmStart extends AsyncDisposable {
  /** Of npm; the server is its child. */
  readonly process: ChildProcess;
  /** All that was printed so far. */
  output(): string;
  /** Waits for the service to be ready; throws when it ends instead. */
  ready(): Promise<ReadyLine>;
  /** Waits for the end. Answers the exit code. */
  ended(): Promise<number | null>;
}

const PROJECT = new URL('../..', import.meta.url).pathname;

/** Runs the real `npm start` with a data folder of its own, on any free port unless told otherwise. */
export function npmStart(options: {
  readonly dataDir: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly ids?: { readonly uid: number; readonly gid: number };
}): NpmStart {
  const { DATABASE_URL: _, ...environment } = process.env;
  const child = spawn('npm', ['start'], {
    cwd: PROJECT,
    env: {
      ...environment,
      PORT: '0',
      DATA_DIR: options.dataDir,
      npm_config_update_notifier: 'false',
      ...options.env,
    },
    ...options.ids,
    // A group of its own, so that nothing is left behind.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  }
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const find = (): ReadyLine | undefined => {
    // The last one may not be whole yet.
    const lines = text.split('\n').slice(0, -1);
    const line = lines.find((candidate) => candidate.includes('"server.ready"'));
    return line === undefined ? undefined : (JSON.parse(line) as ReadyLine);
  };
  return {
    process: child,
    output: () => text,
    ended: () => ended,
    ready: () =>
      waitUntil(
        'the service is ready',
        () => {
          if (child.exitCode !== null) throw new Error(`npm start ended with ${child.exitCode}:\n${text}`);
          return find();
        },
        { timeoutMs: 120_000 },
      ),
    async [Symbol.asyncDispose]() {
      if (child.pid !== undefined && child.exitCode === null) {
        try {
          process.kill(-child.pid, 'SIGKILL');
        } catch {
          return;
        }
        await ended;
      }
    },
  };
}
