import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { waitUntil } from './wait-until.ts';

export interface JavaProcess {
  /** The last of what it wrote. */
  output(): string;
  ended(): boolean;
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Ends Java when its standard input does: a broker must not outlive a test run that was killed. */
const GUARDED =
  'exec 3<&0; java "$@" </dev/null & pid=$!; echo "$pid"; (read -r _ <&3; kill -9 "$pid") 2>/dev/null & wait "$pid"';

export async function runJava(args: readonly string[]): Promise<JavaProcess> {
  const shell = spawn('sh', ['-c', GUARDED, 'sh', ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const exited = once(shell, 'exit');
  let text = '';
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      text = `${text}${part}`.slice(-20_000);
    });
  }
  const [pid = ''] = await waitUntil('Java is started', () => /^\d+/.exec(text) ?? undefined);
  return {
    output: () => text,
    ended: () => hasEnded(shell),
    async end(signal) {
      if (!hasEnded(shell)) process.kill(Number(pid), signal);
      await exited;
      shell.stdin.end();
    },
  };
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;
