import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Program extends AsyncDisposable {
  readonly process: ChildProcess;
  output(): string;
  readonly ended: Promise<number | null>;
  kill(): Promise<void>;
}

/** Runs a TypeScript file as a program of its own, with nothing in its environment but what is given. */
export function startProgram(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Program {
  const path = new URL(`../../${file}`, import.meta.url).pathname;
  const child = spawn(process.execPath, [path, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  return { process: child, output: () => output, ended, kill, [Symbol.asyncDispose]: kill };
}
