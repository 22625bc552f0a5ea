import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface CliResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface CliRun {
  readonly process: ChildProcess;
  /** What was written to standard output so far. */
  out(): string;
  readonly result: Promise<CliResult>;
}

const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname;
const NODE_COMPILE_CACHE = new URL('../../node_modules/.cache/compile', import.meta.url).pathname;

/** Starts the real command line program, with nothing in its environment but what is given. */
export function startCli(
  args: readonly string[],
  {
    env = {},
    cwd,
    input = '',
  }: { env?: Readonly<Record<string, string>>; cwd?: string; input?: string } = {},
): CliRun {
  const { PATH = '' } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH, NODE_COMPILE_CACHE, ...env },
    cwd,
    stdio: 'pipe',
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const result = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }));
  return { process: child, out: () => out, result };
}

export const runCli = (...given: Parameters<typeof startCli>): Promise<CliResult> =>
  startCli(...given).result;
