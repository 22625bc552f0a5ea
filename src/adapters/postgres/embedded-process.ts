import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '../../commands/telemetry.ts';
import type { Launch } from './embedded-account.ts';

export interface PostgresProcess {
  readonly pid: number;
  /** Resolves when the process has ended, for whatever reason. */
  readonly ended: Promise<string>;
  /** Closes connections, writes a checkpoint, ends. Safe to call twice. */
  stop(): Promise<void>;
}

/** PostgreSQL ended before it took connections; `output` is what it said. */
export class PostgresStartError extends Error {
  readonly output: string;
  constructor(output: string) {
    super(output);
    this.output = output;
  }
}

/** A crash recovery may have to replay all of max_wal_size. */
const READY_WITHIN_MS = 10 * 60_000;
const STOP_WITHIN_MS = 30_000;
const KEPT_LINES = 20;
/** Line of postmaster.pid that says how far the start has come. */
const STATUS_LINE = 7;

/** Starts PostgreSQL and waits until it takes connections. */
export async function launchPostgres(options: {
  readonly program: string;
  readonly args: readonly string[];
  readonly dataDir: string;
  readonly launch: Launch;
  readonly logger: Logger;
}): Promise<PostgresProcess> {
  const child = spawnAs(options.launch, options.program, options.args, 'ignore');
  const lines: string[] = [];
  let stopping = false;
  relay(child.stderr, (line) => {
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
    if (!stopping) report(options.logger, line);
  });

  const ended = endOf(child);
  let over = false;
  void ended.then(() => {
    over = true;
  });
  const { pid } = child;
  const deadline = performance.now() + READY_WITHIN_MS;
  while (pid === undefined || !(await isReady(options.dataDir, pid))) {
    if (over) throw new PostgresStartError(lines.join('\n') || (await ended));
    if (performance.now() > deadline) {
      child.kill('SIGQUIT');
      throw new PostgresStartError(`not ready after ${READY_WITHIN_MS / 60_000} minutes`);
    }
    await pause(10);
  }
  return {
    pid,
    ended,
    stop() {
      // What it says to the last connections is of no concern any more.
      stopping = true;
      return stopProcess(child, ended, () => over);
    },
  };
}

/** Runs a PostgreSQL tool to its end. Resolves with its exit code and what it printed. */
export async function runTool(
  launch: Launch,
  program: string,
  args: readonly string[],
  input?: string,
): Promise<{ readonly ok: boolean; readonly output: string }> {
  const child = spawnAs(launch, program, args, input === undefined ? 'ignore' : 'pipe');
  const lines: string[] = [];
  relay(child.stderr, (line) => lines.push(line));
  relay(child.stdout, (line) => lines.push(line));
  // A tool that ends without reading leaves a broken pipe: its exit code tells what happened.
  child.stdin?.on('error', () => undefined).end(input);
  const end = await endOf(child);
  return { ok: child.exitCode === 0, output: lines.join('\n') || end };
}

function spawnAs(launch: Launch, program: string, args: readonly string[], stdin: 'ignore' | 'pipe') {
  const [command = program, ...rest] = [...launch.prefix, program, ...args];
  return spawn(command, rest, {
    ...launch.ids,
    // A session of its own: Ctrl-C on the terminal is for the server, which stops PostgreSQL when it has drained.
    detached: true,
    cwd: '/',
    // Nothing of the caller's PG* variables may redirect it.
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    stdio: [stdin, 'pipe', 'pipe'],
  });
}

function relay(stream: Readable | null, take: (line: string) => void): void {
  if (stream) createInterface({ input: stream }).on('line', take);
}

function report(logger: Logger, line: string): void {
  const [, severity, message = line] = /^(\w+):\s+(.*)$/.exec(line) ?? [];
  if (severity === 'PANIC' || severity === 'FATAL') logger.warn({ severity, message }, 'postgres.log');
  else logger.debug({ severity, message }, 'postgres.log');
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ? `killed by ${signal}` : `exit code ${code}`));
  });
}

async function isReady(dataDir: string, pid: number): Promise<boolean> {
  const lines = (await readFile(`${dataDir}/postmaster.pid`, 'utf8').catch(() => '')).split('\n');
  return Number(lines[0]) === pid && lines[STATUS_LINE]?.trim() === 'ready';
}

async function stopProcess(child: ChildProcess, ended: Promise<string>, over: () => boolean): Promise<void> {
  if (over()) return;
  child.kill('SIGINT');
  const abort = new AbortController();
  const late = pause(STOP_WITHIN_MS, undefined, { signal: abort.signal }).then(
    // Gives up the checkpoint; the next start recovers from the log instead. Nothing is lost.
    () => child.kill('SIGQUIT'),
    () => false,
  );
  await ended;
  abort.abort();
  await late;
}
